// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// Fails each system call of a delivery in turn, and kills the process at each: what remains is one of the
/// states in ARCHITECTURE.md. Uses the debug build, whose fault plan fails the call that the test names.
struct FaultWalkTests {
  /// The state of the mailbox before the delivery.
  enum Scene: String, CaseIterable, Sendable {
    case nothing, sound, noLedger, longLedger, full, network

    func host() throws -> MailHost {
      let host = try MailHost("virtual_mailbox_limit = 1000000")
      let inode = "a,S=500:2,S"
      switch self {
      case .nothing: break
      case .sound, .network:
        try host.store(inode, bytes: 500)
        try host.setLedger("1000000S\n500 1\n")
      case .noLedger: try host.store(inode, bytes: 500)
      case .longLedger:
        try host.store(inode, bytes: 500)
        try host.setLedger("1000000S\n500 1\n" + String(repeating: "0 0\n", count: 1000))
      case .full:
        try host.configure("virtual_mailbox_limit = 550")
        try host.store(inode, bytes: 500)
        try host.setLedger("550S\n500 1\n0 0\n")
      }
      return host
    }

    var environment: [String: String] { self == .network ? ["ULLAGE_FILE_SYSTEM": "nfs"] : [:] }
    var messagesBefore: Int { self == .nothing ? 0 : 1 }
  }

  /// A call that was failed.
  private struct Fault: CustomStringConvertible {
    let call: String
    let description: String
  }

  @Test("A trap ends the program by a signal, which pipe(8) takes as try again; it prints and leaves nothing")
  func trap() throws {
    for number in [0, 5, 15] {
      let host = try MailHost()
      let plan = ["ULLAGE_FAULT": "\(number):TRAP", "ULLAGE_FAULT_LOG": host.sandbox("fault")]
      let delivery = try host.deliver(MailHost.message(100), environment: plan)
      #expect(host.sandbox.text("fault") != nil && delivery.status < 0, "\(number): \(delivery.status)")
      #expect(delivery.output == "" && delivery.errors == "" && host.new == [] && host.tmp == [])
    }
  }

  /// Fails call 0, 1, 2 … until the plan is no longer reached, and checks what remains after each.
  private func walk(
    _ scene: Scene, _ action: String, _ check: (MailHost, MailHost.Delivery, Fault) throws -> Void
  ) throws {
    for number in 0..<500 {
      let host = try scene.host()
      let plan = ["ULLAGE_FAULT": "\(number):\(action)", "ULLAGE_FAULT_LOG": host.sandbox("fault")]
      let delivery = try host.deliver(MailHost.message(100), environment: plan.merging(scene.environment) { $1 })
      guard let fault = host.sandbox.text("fault") else {
        #expect(number > 25, "the walk saw only \(number) calls")
        print("fault walk: delivery, \(scene), \(action): \(number) calls")
        return
      }
      try check(
        host, delivery, Fault(call: fault, description: "\(scene) \(action) \(fault)\(delivery.log)"))
    }
    Issue.record("the walk does not end")
  }

  private func expectWhole(_ host: MailHost, _ delivery: MailHost.Delivery, _ scene: Scene, _ what: Fault) {
    let messages = host.newMessages()
    switch delivery.status {
    case 0:
      // S5: the message is there exactly once, unchanged and counted.
      #expect(messages == [MailHost.message(100)], "\(what)")
    default:
      // S0: nothing is there, except a message that could not be removed again.
      #expect(delivery.status == 75, "\(what)")
      let mayStay = delivery.log.contains { $0.contains("possible duplicate") }
      #expect(messages == [] || mayStay && messages == [MailHost.message(100)], "\(what)")
      #expect(delivery.output.hasPrefix("4."), "\(what)")
    }
    expectLedger(host, scene, what)
    #expect(delivery.errors == "", "\(what)")
  }

  /// The ledger is absent, or its total is at least what is there.
  private func expectLedger(_ host: MailHost, _ scene: Scene, _ what: Fault) {
    guard let total = host.ledgerTotal else { return }
    let held = scene.messagesBefore * 500 + host.new.count * 100
    #expect(total[0] >= held && total[1] >= scene.messagesBefore + host.new.count, "\(what) \(host.ledger ?? "")")
  }

  @Test(
    "If any system call fails, a message is delivered whole, or deferred with nothing left (STYLE.md, fault walk)",
    arguments: Scene.allCases, ["EIO", "ENOSPC", "EDQUOT"])
  func errors(scene: Scene, action: String) throws {
    try walk(scene, action) { host, delivery, what in
      expectWhole(host, delivery, scene, what)
      #expect(host.tmp == [] || what.call.contains("unlinkat"), "\(what) \(host.tmp)")
    }
  }

  @Test("EINTR and a short write change nothing", arguments: Scene.allCases, ["EINTR", "short"])
  func interruptions(scene: Scene, action: String) throws {
    try walk(scene, action) { host, delivery, what in
      expectWhole(host, delivery, scene, what)
      #expect(host.tmp == [], "\(what)")
      // Only a short append to the ledger cannot be continued: the half line makes every reader recount.
      let isAppend = delivery.log.contains { $0.contains("only a part was written") }
      #expect(delivery.status == (scene == .full || isAppend ? 75 : 0), "\(what)")
    }
  }

  @Test(
    "A kill at any system call leaves nothing or the whole message, never a total too low", arguments: Scene.allCases)
  func kill(scene: Scene) throws {
    try walk(scene, "KILL") { host, delivery, what in
      #expect(delivery.status == -SIGKILL, "\(what)")
      let messages = host.newMessages()
      #expect(messages == [] || messages == [MailHost.message(100)], "\(what)")
      expectLedger(host, scene, what)
      // Postfix's retry finds a working mailbox.
      let retry = try host.deliver(MailHost.message(100))
      #expect(retry.status == (scene == .full ? 75 : 0), "\(what) \(retry.log)")
      if scene == .network { #expect(host.tmp.count <= 1, "\(what)") }
    }
  }

  @Test("If fsync of new/ fails after an IMAP server moved the message, it stays counted, and the log says so")
  func syncFailsAfterMove() throws {
    let host = try Scene.sound.host()
    // The message is moved to cur/ after it was published, before the last fsync.
    let delivery = try StoppedCommand(
      host.arguments, at: "linkat", failing: "fsync", input: .bytes(MailHost.message(100)))
    let name = try #require(host.new.first)
    try Command.check(
      ["mv", host.sandbox("\(host.maildir)/new/\(name)"), host.sandbox("\(host.maildir)/cur/\(name):2,S")])
    let ending = try delivery.resume()
    #expect(ending.status == 75 && ending.output.hasPrefix("4.3.0 "))
    #expect(host.log.lines().contains { $0.contains("possible duplicate") })
    #expect(host.ledgerTotal == [600, 2])
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Fails each system call of a recompute in turn, and kills its worker process at each: the ledger is
/// absent or recognised as broken, or has the old total or the counted one. Uses the debug fault plan.
struct RecomputeFaultTests {
  /// The ledger before the run, in a mailbox that holds 500 bytes in 1 message.
  enum Scene: String, CaseIterable, Sendable {
    case right, low, forced, missing, torn, header, full, network

    var ledger: String? {
      switch self {
      case .right: "1000000S\n 500 1\n"
      case .low, .network: "1000000S\n 1 1\n"
      case .forced: "1000000S\n 900 2\n"
      case .missing: nil
      case .torn: "1000000S\n500 1"
      case .header: "2000S\n500 1\n"
      case .full: "1000000S\n500 1\n" + String(repeating: "0 0\n", count: 1260)
      }
    }

    /// The total of that ledger, nil without a valid one.
    var total: [Int]? {
      switch self {
      case .right, .header, .full: [500, 1]
      case .low, .network: [1, 1]
      case .forced: [900, 2]
      case .missing, .torn: nil
      }
    }

    var options: [String] { self == .forced ? ["--force"] : [] }
    var environment: [String: String] { self == .network ? ["ULLAGE_FILE_SYSTEM": "nfs"] : [:] }

    func host() throws -> MailHost {
      let host = try MailHost("virtual_mailbox_limit = 1000000")
      try host.store("a,S=500:2,S", bytes: 500)
      if let ledger { try host.setLedger(ledger) }
      return host
    }
  }

  private func walk(
    _ scene: Scene, _ action: String,
    _ check: (MailHost, Command.Ending, _ what: String, _ fault: String) throws -> Void
  ) throws {
    for number in 0..<500 {
      let host = try scene.host()
      let plan = ["ULLAGE_FAULT": "\(number):\(action):worker", "ULLAGE_FAULT_LOG": host.sandbox("fault")]
      let ending = try host.ullage(
        ["recompute", MailHost.recipient] + scene.options, environment: plan.merging(scene.environment) { $1 })
      guard let fault = host.sandbox.text("fault") else {
        #expect(number > 40, "the walk saw only \(number) calls")
        print("fault walk: recompute, \(scene), \(action): \(number) calls")
        #expect(ending.status == 0 && host.ledgerTotal == [500, 1], "\(scene) \(ending)")
        return
      }
      let what = "\(scene) \(action) \(fault)\(ending)"
      try check(host, ending, what, fault)
      // A reader that sums the lines finds the old total or the counted one; or it finds no ledger, or one that makes
      // it count: the old one, if that was so, or a line that is not complete.
      let allowed = [[500, 1], scene.total].compactMap { $0 }
      if let total = host.ledgerTotal {
        #expect(allowed.contains(total), "\(what) \(host.ledger ?? "")")
      } else {
        #expect(
          host.ledger == nil || host.ledger == scene.ledger || host.ledger?.hasSuffix("\n") == false,
          "\(what) \(host.ledger ?? "")")
      }
      let again = try host.ullage(["recompute", MailHost.recipient] + scene.options)
      #expect(again.status == 0 && host.ledgerTotal == [500, 1], "\(what) \(again) \(host.ledger ?? "")")
    }
    Issue.record("the walk does not end")
  }

  @Test("After a kill at any system call, the next run corrects the ledger", arguments: Scene.allCases)
  func kill(scene: Scene) throws {
    try walk(scene, "KILL") { host, ending, what, _ in
      // After its answer, the worker only waits to be told to exit.
      let hasAnswered = ending.status == 0 && host.ledgerTotal == [500, 1]
      #expect(hasAnswered || ending.status == 2 && ending.output.contains("ended by a signal"), "\(what)")
      #expect(host.tmp.count <= 1, "\(what)")
    }
  }

  @Test(
    "If any system call fails, the mailbox is reported, or the failure did not matter",
    arguments: Scene.allCases.map { ($0, "EIO") } + [Scene.missing, .header, .full].map { ($0, "ENOSPC") })
  func errors(scene: Scene, action: String) throws {
    try walk(scene, action) { host, ending, what, fault in
      #expect([0, 2].contains(ending.status), "\(what)")
      #expect(host.tmp == [] || fault.contains("unlinkat"), "\(what) \(host.tmp)")
    }
  }

  @Test("EINTR changes nothing", arguments: Scene.allCases)
  func interruptions(scene: Scene) throws {
    try walk(scene, "EINTR") { host, ending, what, _ in
      #expect(ending.status == 0 && host.tmp == [] && host.ledgerTotal == [500, 1], "\(what)")
    }
  }
}

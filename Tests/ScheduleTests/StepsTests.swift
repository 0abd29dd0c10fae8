// SPDX-License-Identifier: Apache-2.0
import Foundation
import Schedules
import TestSupport
import Testing

/// What is shown of the model holds for the program only if both take the same steps.
struct StepsTests {
  /// A mailbox, for the program and for the model.
  enum Scene: CaseIterable, Sendable {
    case roomy, long, overcounted, undercounted, full, missing

    /// The limit in bytes and the ledger of a mailbox that holds one message of 500 bytes.
    private var ledger: (limit: Int, text: String?) {
      switch self {
      case .roomy: (1_000_000, "1000000S\n500 1\n")
      case .long: (1_000_000, "1000000S\n500 1\n" + String(repeating: "0 0\n", count: 1000))
      case .overcounted: (1000, "1000S\n950 1\n0 0\n")
      case .undercounted: (1_000_000, "1000000S\n1 1\n")
      case .full: (550, "550S\n500 1\n0 0\n")
      case .missing: (1_000_000, nil)
      }
    }

    func host() throws -> MailHost {
      let host = try MailHost("virtual_mailbox_limit = \(ledger.limit)")
      try host.store("a,S=500:2,S", bytes: 500)
      if let text = ledger.text { try host.setLedger(text) }
      return host
    }

    var world: World {
      switch self {
      case .roomy: World(messages: 2, lines: [2], limit: 100)
      case .long: World(messages: 2, lines: [1, 1, 0, 0], limit: 100, longest: 4)
      case .overcounted: World(messages: 2, lines: [4], limit: 4)
      case .undercounted: World(messages: 2, lines: [1], limit: 100)
      case .full: World(messages: 2, lines: [2], limit: 2)
      case .missing: World(messages: 2, lines: nil, limit: 100)
      }
    }
  }

  /// What a process does that is alone.
  private func modelled(_ scene: Scene, _ task: Ours.Task) -> [Ours.Call] {
    var (world, process) = (scene.world, Ours(0, task))
    var calls: [Ours.Call] = []
    while !process.isDone {
      let (next, lock, turn) = (process.calls, world.lock, world.turn)
      guard process.step(&world) else { return [] }
      if world.turn > turn { calls.append(.takeTurn) }
      if world.lock > lock { calls.append(.lock) }
      calls += next
      // `admit` gives the turn back before the lock; a refusal or a repair, the lock first.
      var freed: [Ours.Call] = []
      if world.turn < turn { freed.append(.giveTurn) }
      if world.lock < lock { freed.append(.unlock) }
      calls += [.refused, .repaired].contains(process.outcome) ? freed.reversed() : freed
    }
    return calls
  }

  /// A line of strace -y, such as `flock(4</base/you>, LOCK_EX|LOCK_NB) = 0`.
  private func call(_ line: Substring, after last: Ours.Call?) -> Ours.Call? {
    guard !line.contains(" = -1 EAGAIN"), let name = line.split(separator: "(").first else { return nil }
    switch name {
    case "flock":
      let isTurn = line.contains("/cur>")
      return line.contains("LOCK_UN") ? isTurn ? .giveTurn : .unlock : isTurn ? .takeTurn : .lock
    case "openat": return line.contains("\"maildirsize\"") ? .open : nil
    case "write": return line.contains("/maildirsize>") ? .append : nil
    // The second call, which finds the end, returns 0.
    case "getdents64":
      return line.contains("/new>") || line.contains("/cur>") ? line.hasSuffix(" = 0") ? nil : .list : nil
    case "renameat2": return line.contains("\"maildirsize\"") ? .rename : nil
    case "linkat": return line.contains("/new>") ? .link : nil
    case "newfstatat": return line.contains("\"maildirsize\"") && last == .link ? .look : nil
    case "unlinkat": return line.contains("/new>") || line.contains("\"maildirsize\"") ? .unlink : nil
    default: return nil
    }
  }

  private static let traced = "trace=flock,openat,write,getdents64,renameat2,linkat,newfstatat,unlinkat,fsync"

  private func calls(_ host: MailHost) throws -> [Ours.Call] {
    var calls: [Ours.Call] = []
    for line in try #require(host.sandbox.text("trace")).split(separator: "\n") {
      // strace -f puts the process first.
      if let call = call(line.drop { !$0.isLetter }, after: calls.last) { calls.append(call) }
    }
    #expect(calls.count > 3)
    return calls
  }

  @Test("A delivery takes the steps of the model, in its order", arguments: Scene.allCases)
  func delivery(scene: Scene) throws {
    let host = try scene.host()
    let strace = ["strace", "-y", "-o", host.sandbox("trace"), "-e", Self.traced]
    let delivery = try host.deliver(MailHost.message(100), arguments: strace + host.arguments)
    #expect(delivery.status == (scene == .full ? 75 : 0), "\(delivery.log)")
    let calls = try calls(host)
    #expect(calls == modelled(scene, .delivery), "\(calls)")
  }

  @Test("So does one whose second sync fails", arguments: [Scene.roomy, .long, .overcounted, .missing])
  func failingDelivery(scene: Scene) throws {
    let host = try scene.host()
    let fault = ["-e", "inject=fsync:error=EIO:when=2"]
    let strace = ["strace", "-y", "-o", host.sandbox("trace"), "-e", Self.traced] + fault
    let delivery = try host.deliver(MailHost.message(100), arguments: strace + host.arguments)
    #expect(delivery.status == 75 && host.new == [], "\(delivery.log)")
    let calls = try calls(host)
    #expect(calls == modelled(scene, .failingDelivery), "\(calls)")
  }

  @Test("So does a repair, but for files that it only reads", arguments: [Scene.roomy, .undercounted, .missing])
  func repair(scene: Scene) throws {
    let host = try scene.host()
    let strace = ["strace", "-f", "-y", "-o", host.sandbox("trace"), "-e", Self.traced]
    let tool = host.toolArguments(["recompute", MailHost.recipient])
    #expect(try [0, 1].contains(Command.run(strace + tool, asMailUser: true).status))
    let calls = try calls(host).filter { $0 != .open }
    let modelled = modelled(scene, .repair(atRest: false)).filter { $0 != .open }
    #expect(Array(calls.prefix(modelled.count)) == modelled, "\(calls)")
    // Then it looks for the cause of a difference.
    #expect(calls.dropFirst(modelled.count).allSatisfy { $0 == .list }, "\(calls)")
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Schedules
import TestSupport
import Testing

/// What is shown of the model holds for the program only if both take the same steps.
struct StepsTests {
  /// A mailbox, for the program and for the model.
  enum Scene: CaseIterable, Sendable {
    case roomy, long, overcounted, full, missing

    /// The limit in bytes and the ledger of a mailbox that holds one message of 500 bytes.
    private var ledger: (limit: Int, text: String?) {
      switch self {
      case .roomy: (1_000_000, "1000000S\n500 1\n")
      case .long: (1_000_000, "1000000S\n500 1\n" + String(repeating: "0 0\n", count: 1000))
      case .overcounted: (1000, "1000S\n950 1\n0 0\n")
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
      case .full: World(messages: 2, lines: [2], limit: 2)
      case .missing: World(messages: 2, lines: nil, limit: 100)
      }
    }
  }

  /// What a process does that is alone.
  private func modelled(_ scene: Scene) -> [Ours.Call] {
    var (world, process) = (scene.world, Ours(0, .delivery))
    var calls: [Ours.Call] = []
    while !process.isDone {
      let (next, lock, turn) = (process.calls, world.lock, world.turn)
      guard process.step(&world) else { return [] }
      if world.turn > turn { calls.append(.takeTurn) }
      if world.lock > lock { calls.append(.lock) }
      calls += next
      // `admit` gives the turn back before the lock; a refusal, the lock first.
      var freed: [Ours.Call] = []
      if world.turn < turn { freed.append(.giveTurn) }
      if world.lock < lock { freed.append(.unlock) }
      calls += process.outcome == .refused ? freed.reversed() : freed
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
    default: return nil
    }
  }

  @Test("The program takes the steps of the model, in its order", arguments: Scene.allCases)
  func steps(scene: Scene) throws {
    let host = try scene.host()
    let strace = [
      "strace", "-y", "-o", host.sandbox("trace"), "-e",
      "trace=flock,openat,write,getdents64,renameat2,linkat,newfstatat",
    ]
    let delivery = try host.deliver(MailHost.message(100), arguments: strace + host.arguments)
    #expect(delivery.status == (scene == .full ? 75 : 0), "\(delivery.log)")
    var calls: [Ours.Call] = []
    for line in try #require(host.sandbox.text("trace")).split(separator: "\n") {
      if let call = call(line, after: calls.last) { calls.append(call) }
    }
    #expect(calls.count > 5 && calls == modelled(scene), "\(calls)")
  }
}

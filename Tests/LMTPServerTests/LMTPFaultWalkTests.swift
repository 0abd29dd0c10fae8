// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Fails each system call of an LMTP session in turn, and kills the service at each: what was answered 2xx is there
/// with equal bytes, and what was not is not there, or the log says that it may be.
struct LMTPFaultWalkTests {
  private static let shared = MailHost.message(300)
  private static let sole = MailHost.message(40_000)

  /// What a client saw of a session: a reply for each copy, none where the service was gone.
  private struct Session {
    let host: LMTPHost
    /// The replies for `a`, `b` and `c`.
    let replies: [String: String]
    let log: [String]
    /// The call that was failed.
    let fault: String
  }

  /// A message for `a` and `b`, which is shared, and one for `c`, which has more than one part. The mailbox of `b` does
  /// not exist yet.
  private func session(_ number: Int, _ action: String) throws -> Session? {
    let faults = try Sandbox()
    let host: LMTPHost
    do {
      host = try LMTPHost(
        "virtual_mailbox_limit = 1000000\nlmtp_delivered_to = no",
        environment: ["ULLAGE_FAULT": "\(number):\(action)", "ULLAGE_FAULT_LOG": faults("fault")])
    } catch is ServiceDaemon.Ended {
      // It did not come to listen.
      return nil
    }
    for name in ["a", "c"] {
      try host.host.sandbox.makeMaildir("base/d/\(name)")
      try host.host.sandbox.write("base/d/\(name)/maildirsize", "1000000S\n 0 0\n")
    }
    var replies: [String: String] = [:]
    if let client = try? host.connect() {
      for (name, reply) in zip(["a", "b"], client.deliver(Self.shared, to: ["a@d", "b@d"])) { replies[name] = reply }
      replies["c"] = replies.isEmpty ? nil : client.deliver(Self.sole, to: ["c@d"]).first
    }
    if replies.isEmpty, action != "KILL" {
      // It listened, but its start failed after that.
      #expect(host.daemon.command.wait().status == 71)
      return nil
    }
    return Session(host: host, replies: replies, log: host.host.log.lines(), fault: faults.text("fault") ?? "")
  }

  /// Walks until the plan is no longer reached.
  private func walk(_ action: String, _ check: (Session, String) throws -> Void) throws {
    var count = 0
    for number in 0..<500 {
      guard let session = try session(number, action) else { continue }
      guard !session.fault.isEmpty else {
        #expect(count > 40, "the walk saw only \(count) calls")
        print("fault walk: LMTP, \(action): \(count) calls")
        return
      }
      count += 1
      try check(session, "\(action) \(session.fault)\(session.replies) \(session.log)")
    }
    Issue.record("the walk does not end")
  }

  private func expectWhole(_ session: Session, _ what: String) {
    for name in ["a", "b", "c"] {
      let message = name == "c" ? Self.sole : Self.shared
      let reply = session.replies[name] ?? ""
      let isAccepted = reply.hasPrefix("250 2.0.0")
      let messages = session.host.messages(name)
      if isAccepted {
        #expect(messages == [message], "\(name) \(what)")
      } else {
        // A reply that was lost is Postfix's to repeat.
        let mayStay = reply.isEmpty || session.log.contains { $0.contains("possible duplicate") }
        #expect(messages == [] || mayStay && messages == [message], "\(name) \(what)")
        #expect(reply.isEmpty || reply.hasPrefix("451 4."), "\(name) \(what)")
      }
      guard let total = session.host.ledgerTotal(name) else { continue }
      #expect(total[0] >= messages.count * message.count && total[1] >= messages.count, "\(name) \(what)")
    }
  }

  @Test(
    "If any system call fails, each copy is there and answered so, or deferred with nothing left",
    arguments: ["EIO", "ENOSPC", "EMLINK", "EXDEV", "ENOENT", "short"])
  func errors(action: String) throws {
    try walk(action) { session, what in
      #expect(session.replies.count == 3, "\(what)")
      expectWhole(session, what)
      // Where a file cannot have another name, its content is copied.
      if ["EMLINK", "EXDEV", "ENOENT"].contains(action), session.fault.contains("linkat") {
        #expect(["a", "b"].allSatisfy { session.replies[$0] == "250 2.0.0 Delivered" }, "\(what)")
      }
      #expect(session.host.isTidy || session.fault.contains("unlinkat"), "\(what)")
      // The next message finds a working service.
      let next = try session.host.deliver(Self.shared, to: "d@d")
      #expect(next == ["250 2.0.0 Delivered"], "\(what)")
    }
  }

  @Test("If the service is killed at any system call, what was answered is there, and the rest at most once")
  func kill() throws {
    try walk("KILL") { session, what in
      expectWhole(session, what)
    }
  }
}

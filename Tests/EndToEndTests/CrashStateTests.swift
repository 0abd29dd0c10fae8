// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// The machine stops at any moment of a delivery, a repair or an audit: whatever was not synced then may be on the
/// disk, or not, each by itself. And an audit is killed at any system call.
struct CrashStateTests {
  /// The mailbox before; it holds one message of 500 bytes.
  enum Scene: CaseIterable, Sendable {
    case sound, long, overcounted, missing, broken

    var limit: Int { self == .overcounted ? 1000 : 1_000_000 }

    var ledger: String? {
      switch self {
      case .sound: "1000000S\n500 1\n"
      case .long: "1000000S\n500 1\n" + String(repeating: "0 0\n", count: 1000)
      case .overcounted: "1000S\n950 1\n0 0\n"
      case .missing: nil
      case .broken: "garbage\n"
      }
    }

    func host() throws -> MailHost {
      let host = try MailHost("virtual_mailbox_limit = \(limit)")
      try host.store("a,S=500:2,S", bytes: 500)
      if let ledger { try host.setLedger(ledger) }
      return host
    }
  }

  private static let message = MailHost.message(100)

  private func record(_ host: MailHost) throws -> CrashRecord {
    try CrashRecord(of: host.sandbox(host.maildir), in: host.sandbox) { strace in
      let delivery = try host.deliver(Self.message, arguments: strace + host.arguments)
      #expect(delivery.status == 0, "\(delivery.log)")
    }
  }

  @Test(
    "Whatever a crash leaves of a delivery: an answered message is whole, and a recount makes the ledger exact",
    arguments: Scene.allCases)
  func delivery(scene: Scene) throws {
    let host = try scene.host()
    let record = try record(host)
    let images = record.images(answeringAfter: isAnswer)
    print("crash states: delivery, \(scene): \(images.count) after \(record.changes.count) calls")
    #expect(problems(images, scene) == [] && images.contains { $0.isAnswered })
    try expectExactAfterRecount(images.map(\.image), host, scene)
  }

  @Test("Without its syncs the same check finds what could be lost", arguments: Scene.allCases)
  func withoutSyncs(scene: Scene) throws {
    let record = try record(try scene.host())
    func problems(without isLeftOut: (CrashRecord.Change) -> Bool) -> Set<String> {
      Set(self.problems(record.images(leavingOut: isLeftOut, answeringAfter: isAnswer), scene))
    }
    let noFileSync = problems(without: \.isSyncOfFile)
    #expect(noFileSync.contains("a message is there in part"))
    // Where a ledger was written anew.
    #expect(noFileSync.contains("the ledger has no limit") == (scene != .sound && scene != .broken))
    #expect(problems(without: \.isSyncOfDirectory) == ["an answered message is lost"])
  }

  private func isAnswer(_ change: CrashRecord.Change) -> Bool {
    if case .syncDirectory("new") = change { true } else { false }
  }

  private func problems(_ images: [(image: CrashRecord.Image, isAnswered: Bool)], _ scene: Scene) -> [String] {
    images.flatMap { image, isAnswered in
      let stored = image.filter { $0.key.hasPrefix("new/") }.map(\.value)
      var problems: [String] = []
      if stored.contains(where: { $0 != Self.message }) || stored.count > 1 {
        problems.append("a message is there in part")
      }
      if isAnswered, stored.isEmpty { problems.append("an answered message is lost") }
      return problems + ledgerProblems(image, scene)
    }
  }

  private func ledgerProblems(_ image: CrashRecord.Image, _ scene: Scene) -> [String] {
    guard let ledger = image["maildirsize"], scene != .broken else { return [] }
    // To Courier an empty file, or one without a limit, means that there is no quota.
    return ledger.starts(with: "\(scene.limit)S\n".utf8) ? [] : ["the ledger has no limit"]
  }

  @Test(
    "Whatever a crash leaves of a repair: the ledger is the old one, the counted one, or one that makes programs count",
    arguments: Scene.allCases, [[], ["--force"]])
  func repair(scene: Scene, options: [String]) throws {
    let host = try scene.host()
    let maildir = host.sandbox(host.maildir)
    let record = try CrashRecord(of: maildir, in: host.sandbox) { strace in
      // Long after, so that the mailbox is at rest: only then a total is lowered.
      let tool = try FakeClock.words(ahead: "40h") + host.toolArguments(["recompute", MailHost.recipient] + options)
      let ending = try Command.run(strace + tool, asMailUser: true)
      #expect([0, 1].contains(ending.status), "\(ending)")
    }
    // A sound ledger stays as it is.
    #expect(record.changes.isEmpty == (scene == .sound))
    let images = record.images()
    print("crash states: repair\(options), \(scene): \(images.count) after \(record.changes.count) calls")
    #expect(images.flatMap { ledgerProblems($0.image, scene) } == [])
    for image in images.map(\.image) {
      let total = image["maildirsize"].flatMap { MailHost.total(of: $0.text) }
      let before = scene.ledger.flatMap { MailHost.total(of: $0) }
      #expect([nil, before, [500, 1]].contains(total), "\(image["maildirsize"]?.text ?? "")")
      #expect(image["cur/a,S=500:2,S"]?.count == 500)
    }
    try expectExactAfterRecount(images.map(\.image), host, scene)
  }

  private func expectExactAfterRecount(_ images: [CrashRecord.Image], _ host: MailHost, _ scene: Scene) throws {
    try host.sandbox.makeDirectory("base/crash")
    for (number, image) in images.enumerated() {
      try host.sandbox.makeMaildir("base/crash/\(number)")
      for (name, bytes) in image { try host.sandbox.write("base/crash/\(number)/\(name)", bytes) }
    }
    let directories = images.indices.map { host.sandbox("base/crash/\($0)") }
    // Long after, so that the mailboxes are at rest, and what is in tmp/ is old.
    let ending = try Command.run(
      MailUser.drop + FakeClock.words(ahead: "40h")
        + host.toolArguments(["recompute", "--limit=\(scene.limit)", "--maildir"] + directories))
    #expect([0, 1].contains(ending.status), "\(ending)")
    for (number, image) in images.enumerated() {
      let files = image.filter { $0.key.hasPrefix("new/") || $0.key.hasPrefix("cur/") }.map(\.value.count)
      let ledger = try #require(host.sandbox.text("base/crash/\(number)/maildirsize"))
      #expect(MailHost.total(of: ledger) == [files.reduce(0, +), files.count], "\(ledger)")
    }
  }

  /// Two mailboxes, of which one has a ledger that is too low.
  private func auditSite() throws -> AuditSite {
    let site = try AuditSite()
    try site.add("a")
    try site.add("b", ledger: "1000000S\n 1 1\n")
    try site.host.sandbox.makeDirectory("state")
    return site
  }

  /// Puts back the ledger, and removes the state.
  private func reset(_ site: AuditSite) throws {
    let sandbox = site.host.sandbox
    for name in sandbox.list("state") { try FileManager.default.removeItem(atPath: sandbox("state/\(name)")) }
    try site.make("example.org/b", ledger: "1000000S\n 1 1\n")
  }

  private func expectDone(_ site: AuditSite, _ ending: Command.Ending, _ what: String) throws {
    // 0: the ledger was corrected before.
    #expect([0, 1].contains(ending.status) && ending.output.contains("Audit of 2 mailboxes"), "\(what): \(ending)")
    #expect(site.ledger("a") == "1000000S\n 500 1\n", "\(what)")
    #expect(site.ledger("b").flatMap { MailHost.total(of: $0) } == [500, 1], "\(what)")
    #expect(site.host.sandbox.list("state").contains("audit.clean"), "\(what)")
    #expect(!site.host.sandbox.list("state").contains("audit"), "\(what)")
  }

  private let audit = ["audit", "--level=1", "--share=1/1", "--repair"]

  @Test("Whatever a crash leaves of the state of an audit, the next one looks at every mailbox and ends")
  func auditState() throws {
    let site = try auditSite()
    let sandbox = site.host.sandbox
    let arguments = audit + ["--state=\(sandbox("state/audit"))"]
    let record = try CrashRecord(of: sandbox("state"), in: sandbox) { strace in
      let ending = try Command.run(strace + site.host.toolArguments(arguments), asMailUser: true)
      try expectDone(site, ending, "the first one")
    }
    let images = record.images().map(\.image)
    print("crash states: audit: \(images.count) after \(record.changes.count) calls")
    #expect(images.contains { $0["audit"] != nil } && images.contains { $0["audit.clean"] != nil })
    // A state that is there in part would be one that the next audit refuses.
    func isWhole(_ bytes: [UInt8]?) -> Bool {
      bytes.map { $0.starts(with: "{".utf8) && $0.last == UInt8(ascii: "}") } ?? true
    }
    #expect(images.allSatisfy { isWhole($0["audit"]) && isWhole($0["audit.clean"]) })
    let withoutSyncs = record.images(leavingOut: \.isSyncOfFile).map(\.image)
    #expect(withoutSyncs.contains { !isWhole($0["audit"]) } && withoutSyncs.contains { !isWhole($0["audit.clean"]) })
    for image in images {
      try reset(site)
      for (name, bytes) in image { try sandbox.write("state/\(name)", bytes) }
      try expectDone(site, try site.host.ullage(arguments), "\(image.mapValues(\.text))")
    }
  }

  @Test("After a kill at any system call of an audit, the next one looks at every mailbox and ends")
  func auditKilled() throws {
    let site = try auditSite()
    let arguments = audit + ["--state=\(site.host.sandbox("state/audit"))"]
    for number in 0..<2000 {
      try reset(site)
      let fault = site.host.sandbox("state/fault")
      let plan = ["ULLAGE_FAULT": "\(number):KILL:audit", "ULLAGE_FAULT_LOG": fault]
      let ending = try site.host.ullage(arguments, environment: plan)
      guard let call = site.host.sandbox.text("state/fault") else {
        #expect(number > 40, "the walk saw only \(number) calls")
        print("fault walk: audit, KILL: \(number) calls")
        return try expectDone(site, ending, "unharmed")
      }
      #expect(ending.status == -SIGKILL, "\(call)\(ending)")
      try expectDone(site, try site.host.ullage(arguments), call)
    }
    Issue.record("the walk does not end")
  }
}

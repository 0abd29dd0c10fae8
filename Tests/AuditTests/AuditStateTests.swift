// SPDX-License-Identifier: Apache-2.0
import Findings
import Foundation
import Maildir
import Posix
import Quota
import Sweep
import TestSupport
import Testing
import Text

@testable import Audit

struct AuditStateTests {
  private static func finding(
    _ severity: Finding.Severity, _ kind: FindingKind, bytes: Int64? = nil, isRepaired: Bool = false
  ) -> Finding {
    Finding(severity, kind, in: .mailboxes, .init("m\(bytes ?? 0)"), "e", bytes: bytes, isRepaired: isRepaired)
  }

  /// The state of a run with a few findings.
  private static func state(options: String = "o") -> AuditState {
    var state = AuditState(options: options, night: 3)
    state.path = Array("d/a/".utf8)
    state.address = Array("a@d".utf8)
    state.note(finding(.error, .brokenLedger), of: .brokenLedger)
    state.note(finding(.warning, .drift, bytes: 5), of: .drift)
    state.note(notAudited: "b@d: input/output error")
    return state
  }

  @Test("All findings are counted; of a kind the worst fifty are kept")
  func worst() {
    var state = AuditState(options: "", night: 0)
    // In an order that is neither up nor down.
    for number in 0..<1000 { state.note(Self.finding(.warning, .drift, bytes: Int64(number * 7 % 1000)), of: .drift) }
    state.note(Self.finding(.error, .badPath), of: .badPath)
    #expect(state.count() == 1001 && state.count(.drift) == 1000 && state.count(nil, .error) == 1)
    #expect(state.count(.drift, .error) == 0)
    let sorted = state.sortedFindings()
    #expect(sorted.first?.kind == .badPath)
    #expect(sorted.dropFirst().map(\.bytes) == (950..<1000).reversed().map { Int64($0) })
  }

  @Test("What has been repaired is counted as such, and of the problems the first hundred are kept")
  func problems() {
    var state = AuditState(options: "", night: 0)
    state.note(Self.finding(.error, .brokenLedger, isRepaired: true), of: .brokenLedger)
    for number in 1...250 { state.note(notAudited: "\(number)") }
    #expect(state.repaired == 1 && state.count(.brokenLedger, .notice) == 1)
    #expect(state.notAuditedCount == 250 && state.notAudited.last == "100")
    var counted = MailboxReport(.examined)
    counted.repair = .init(before: nil, fault: .missing, counted: .none, after: nil, action: .replaced)
    state.note(audited: counted)
    state.note(audited: MailboxReport(.absent))
    #expect(state.mailboxes == 2 && state.counted == 1)
  }

  @Test("A state is found again by a run with the same options, and by no other")
  func file() throws {
    let sandbox = try Sandbox()
    let file = AuditStateFile(try #require(Path(sandbox("state").utf8)))
    #expect(try file.load(options: "o") == .nothing)
    try file.save(Self.state())
    #expect(try file.load(options: "o") == .interrupted(Self.state()))
    #expect(try file.load(options: "other") == .other(options: "o"))
    try file.remove()
    #expect(try file.load(options: "o") == .nothing)
    try file.remove()
  }

  @Test("A file that is not a state is left alone; an empty one is none")
  func notAState() throws {
    let sandbox = try Sandbox()
    let file = AuditStateFile(try #require(Path(sandbox("state").utf8)))
    try sandbox.write("state", "root:x:0:0:\n")
    let error = #expect(throws: AuditStateError.self) { try file.load(options: "o") }
    #expect(
      error?.shown == "--state \(sandbox("state")): that is not the state of an audit; name another file, or remove it")
    #expect(error?.isMistake == true && sandbox.text("state") == "root:x:0:0:\n")
    try sandbox.write("state", "")
    #expect(try file.load(options: "o") == .nothing)
    // Another program's JSON.
    try sandbox.write("state", #"{"options":"-v","hosts":[]}"#)
    #expect(throws: AuditStateError.self) { try file.load(options: "o") }
  }

  @Test("Two audits do not share a state: the second one is told to wait, and may begin when the first has ended")
  func lock() throws {
    let sandbox = try Sandbox()
    let path = try #require(Path(sandbox("state").utf8))
    var first: AuditStateFile? = AuditStateFile(path)
    try first?.acquire()
    let second = AuditStateFile(path)
    let error = #expect(throws: AuditStateError.self) { try second.acquire() }
    #expect(error?.shown == "--state \(sandbox("state")): another audit is using it; wait for its end")
    #expect(error?.isMistake == false)
    first = nil
    try second.acquire()
  }

  @Test(
    "The state of another version is not continued, and is no mistake",
    arguments: [
      #"{"options":"o","night":5}"#, #"{"options":"o","version":99,"what":[]}"#,
    ])
  func otherVersion(text: String) throws {
    let sandbox = try Sandbox()
    try sandbox.write("state", text)
    #expect(try AuditStateFile(try #require(Path(sandbox("state").utf8))).load(options: "o") == .otherVersion)
  }

  @Test(
    "Whatever has the draft's name is neither waited for nor written to",
    arguments: [
      "mkfifo state.new state.lock", "echo precious > other; ln other state.new; ln other state.lock",
      "ln -s /etc/passwd state.new",
      "touch state.new",
    ])
  func draft(commands: String) throws {
    let sandbox = try Sandbox()
    try Command.check(["sh", "-ec", "cd \(sandbox.path); \(commands)"], asMailUser: true)
    let file = AuditStateFile(try #require(Path(sandbox("state").utf8)))
    try file.acquire()
    try file.save(Self.state())
    #expect(try file.load(options: "o") == .interrupted(Self.state()))
    #expect(sandbox.status("state.new") == nil)
    #expect(sandbox.text("other") ?? "precious\n" == "precious\n")
  }

  @Test("Root gives no existing file away: the lock may be a second name of any", .takesRoot)
  func keptOwner() throws {
    let sandbox = try Sandbox()
    try sandbox.write("precious", "precious\n")
    try Command.check(["sh", "-ec", "cd \(sandbox.path); chown root precious; ln precious state.lock"])
    try AuditStateFile(try #require(Path(sandbox("state").utf8))).acquire()
    #expect(sandbox.status("precious")?.st_uid == 0 && sandbox.text("precious") == "precious\n")
  }

  @Test("What root writes belongs to the owner of the directory, who can continue and remove it", .takesRoot)
  func owner() throws {
    let sandbox = try Sandbox()
    let path = try #require(Path(sandbox("state").utf8))
    do {
      let root = AuditStateFile(path)
      try root.acquire()
      try root.save(Self.state())
    }
    for name in ["state", "state.lock"] { #expect(sandbox.status(name)?.st_uid == MailUser.id) }
    let mailUser = Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group))
    try mailUser.acting {
      let file = AuditStateFile(path)
      try file.acquire()
      #expect(try file.load(options: "o") == .interrupted(Self.state()))
      try file.remove()
    }
    #expect(sandbox.list("") == ["state.lock"])
  }

  @Test("A state that cannot be written is an error that names the file")
  func unwritable() throws {
    let sandbox = try Sandbox()
    let file = AuditStateFile(try #require(Path(sandbox("none/state").utf8)))
    let error = #expect(throws: AuditStateError.self) { try file.save(Self.state()) }
    #expect(error?.shown.hasPrefix("--state \(sandbox("none/state")) cannot be written or removed: ") == true)
    #expect(error?.isMistake == true)
  }

  @Test("A state is not written more often than is asked")
  func interval() throws {
    let sandbox = try Sandbox()
    let file = AuditStateFile(try #require(Path(sandbox("state").utf8)))
    try file.save(Self.state(), atMostEvery: 3600)
    #expect(sandbox.text("state") == nil)
  }
}

struct AuditOptionsTests {
  private static func row(_ number: Int) -> MailboxRow {
    MailboxRow(address: Array("u\(number)@d".utf8), path: Array("d/u\(number)/".utf8), quota: .init(.none, .own))
  }

  @Test(
    "Each mailbox is counted in exactly one of so many nights, and the nights share the work", arguments: [1, 2, 7, 30])
  func share(nights: Int) {
    var options = AuditOptions()
    options.share = nights
    var perNight = [Int](repeating: 0, count: nights)
    for number in 0..<1000 {
      let due = (20_000..<20_000 + nights).filter { options.work(for: Self.row(number), night: $0).contains(.count) }
      #expect(due.count == 1)
      for night in due { perNight[night - 20_000] += 1 }
    }
    let fair = 1000 / nights
    #expect(perNight.allSatisfy { $0 > fair / 2 && $0 < fair * 2 + 2 })
  }

  @Test(
    "The work of each level",
    arguments: [
      (.ledgers, false, false, []), (.ledgers, true, false, [.countIfOdd, .repair]),
      (.counts, false, false, [.countIfOdd, .count]), (.counts, true, true, [.countIfOdd, .count, .repair, .cleanTmp]),
      (.files, false, false, [.countIfOdd, .count, .checkSizes]),
    ] as [(AuditOptions.Level, Bool, Bool, MailboxTask.Work)])
  func work(level: AuditOptions.Level, repairs: Bool, cleans: Bool, work: MailboxTask.Work) {
    var options = AuditOptions()
    options.level = level
    options.share = 1
    options.repairs = repairs
    options.cleansTmp = cleans
    #expect(options.work(for: Self.row(1), night: 0) == work)
  }

  @Test("Whatever changes the result of a run changes the fingerprint")
  func fingerprint() {
    var all: [AuditOptions] = [AuditOptions()]
    let changes: [(inout AuditOptions) -> Void] = [
      { $0.level = .files }, { $0.share = 8 }, { $0.repairs = true }, { $0.cleansTmp = true },
      { $0.isAfterCrash = true }, { $0.domain = "d" },
      { $0.ignored = [.drift] }, { $0.ignored = [.drift, .absent] },
    ]
    for change in changes {
      var options = AuditOptions()
      change(&options)
      all.append(options)
    }
    #expect(Set(all.map(\.fingerprint)).count == all.count)
    // Speed does not change the result.
    var slow = AuditOptions()
    slow.rate = 5
    slow.workers = 1
    #expect(slow.fingerprint == AuditOptions().fingerprint)
  }
}

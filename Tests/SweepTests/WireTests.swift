// SPDX-License-Identifier: Apache-2.0
import Foundation
import Maildir
import Posix
import Quota
import Testing

@testable import Sweep

/// The wire between the tool and its workers: what is read is what was written.
struct WireTests {
  private static func roundTrip<V: WireValue>(_ value: V) -> V {
    var writer = WireWriter()
    writer.write(value)
    var reader = WireReader(writer.bytes)
    return reader.value()
  }

  @Test("A report arrives as it was sent, whatever it says", arguments: 0..<500)
  func reports(seed: UInt64) {
    var random = Random(seed: seed)
    let report = random.report()
    #expect(Self.roundTrip(report) == report)
  }

  @Test("A task and the setup of a worker arrive as they were sent", arguments: 0..<200)
  func tasks(seed: UInt64) {
    var random = Random(seed: seed)
    let task = MailboxTask(
      base: random.path(), components: random.list { $0.path() }, limit: random.optional { $0.limit() },
      work: MailboxTask.Work(rawValue: random.number() & 255), suspectTime: random.optional { $0.number() })
    #expect(Self.roundTrip(task) == task)
    let setup = WorkerSetup(
      owner: random.optional { Credentials(user: $0.identifier(), group: $0.identifier()) },
      rule: CountingRule(
        profile: random.element(CountingProfile.allCases), uncountedFolders: random.list { $0.bytes() },
        leavesOutSubfolders: random.flag(), inboxOnly: random.flag()))
    #expect(Self.roundTrip(setup) == setup)
  }

  @Test("Many values in one frame stay apart")
  func sequence() {
    var random = Random(seed: 4711)
    let reports = (0..<100).map { _ in random.report() }
    var writer = WireWriter()
    writer.write(reports)
    writer.write(Int64.min)
    var reader = WireReader(writer.bytes)
    #expect(reader.values() == reports)
    #expect(reader.number() == .min)
  }

  @Test("A frame passes through a pipe whole", arguments: [0, 1, 7, 8, 4096, 65_000])
  func frame(length: Int) throws {
    let pipe = Pipe()
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
    try WireFrame.send(bytes, to: File(owning: dup(pipe.fileHandleForWriting.fileDescriptor)))
    #expect(try WireFrame.receive(from: File(owning: dup(pipe.fileHandleForReading.fileDescriptor))) == bytes)
  }

  @Test(
    "The end of the input is the end, also within a frame, and so is whatever is no frame",
    arguments: [
      [], [3], [3, 0, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0, 0, 1, 2], Array("a line of a library\n".utf8),
    ])
  func end(input: [UInt8]) throws {
    let pipe = Pipe()
    try pipe.fileHandleForWriting.write(contentsOf: input)
    try pipe.fileHandleForWriting.close()
    #expect(try WireFrame.receive(from: File(owning: dup(pipe.fileHandleForReading.fileDescriptor))) == nil)
  }
}

/// Values of every kind, in the same order for the same seed (Knuth's MMIX generator).
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493 }

  private mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 20
  }

  mutating func flag() -> Bool { next() & 1 == 1 }
  mutating func number() -> Int64 { flag() ? Int64(next() % 1000) : Int64(bitPattern: next() << 21) }
  mutating func identifier() -> UInt32 { UInt32(truncatingIfNeeded: next()) }
  mutating func element<V>(_ values: [V]) -> V { values[Int(next() % UInt64(values.count))] }
  mutating func optional<V>(_ make: (inout Random) -> V) -> V? { flag() ? make(&self) : nil }
  mutating func list<V>(_ make: (inout Random) -> V) -> [V] { (0..<next() % 5).map { _ in make(&self) } }
  mutating func bytes() -> [UInt8] { (0..<next() % 40).map { _ in UInt8(truncatingIfNeeded: next()) } }
  mutating func text() -> String { element(["", "you", "a b", "ümlaut", "line\nline", "\u{1B}[31m", "日本"]) }

  mutating func path() -> Path {
    guard let path = Path(bytes().map { max(1, $0) }) else { preconditionFailure("NUL in a path without NUL") }
    return path
  }

  mutating func limit() -> QuotaLimit { QuotaLimit(bytes: number(), messages: number()) }
  mutating func usage() -> QuotaUsage { QuotaUsage(bytes: number(), messages: number()) }
  mutating func fault() -> LedgerFault { element(LedgerFault.allCases) }

  mutating func cause() -> DriftCause {
    element([
      .unknown, .trashedMessages, .trash, .replaced, .unsized, .profile(element(CountingProfile.allCases)),
      .damaged(fault()),
    ])
  }

  mutating func repair() -> RepairResult {
    RepairResult(
      before: optional { $0.usage() }, fault: optional { $0.fault() }, counted: usage(),
      after: optional { $0.usage() }, action: element(RepairResult.Action.allCases), cause: optional { $0.cause() })
  }

  mutating func rightsFault() -> RightsFault {
    RightsFault(
      element([.maildir, .new, .cur, .tmp, .ledger]),
      element([
        .writableByAll(mode: identifier()), .closedToOwner(mode: identifier()),
        .foreign(owner: identifier(), expected: identifier()),
      ]))
  }

  mutating func report() -> MailboxReport {
    var report = MailboxReport(
      element([.examined, .absent, .broken(text()), .foreign(identifier()), .failed(text())]))
    report.isInspected = flag()
    report.usage = optional { $0.usage() }
    report.headerLimit = optional { $0.limit() }
    report.fault = optional { $0.fault() }
    report.isOurs = flag()
    report.isSuspect = flag()
    report.isSynchronized = flag()
    report.synchronizedDevice = optional { UInt64(bitPattern: $0.number()) }
    report.ledgerModified = optional { $0.number() & .max }
    report.rightsFaults = list { $0.rightsFault() }
    report.hasFolderMark = flag()
    report.staleFiles = Int(number())
    report.staleBytes = number()
    report.removedFiles = Int(number())
    report.repair = optional { $0.repair() }
    report.unreadable = list { $0.text() }
    report.linked = list { $0.text() }
    report.wrongSizes = Int(number())
    report.wrongSizeExample = text()
    return report
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing

@testable import Maildir

/// An open `maildirsize`: what it says, how old it is, and what is appended to it.
struct LedgerFileTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeDirectory("m")
  }

  private func openMaildir() throws -> File {
    try File(open: try #require(Path(sandbox("m").utf8)), [.directory])
  }

  /// Writes the file and opens it.
  ///
  /// - Parameter modified: for touch(1); nil for now.
  private func ledger(_ text: String, modified: String? = nil) throws -> LedgerFile {
    try sandbox.write("m/maildirsize", text)
    if let modified { try Command.check(["touch", "-d", modified, sandbox("m/maildirsize")]) }
    switch try LedgerFile.open(in: try openMaildir(), mayBeReadOnly: false) {
    case .success(let file): return file
    case .failure(let fault): throw TestError("\(fault)")
    }
  }

  private static func contents(_ text: String) throws -> LedgerContents { try LedgerContents(Array(text.utf8)) }

  @Test(
    "A total suffices for refusing mail only if it was counted in the last 15 minutes",
    arguments: [
      // A single entry in a file that was just changed: Maildir++'s own rule.
      ("1000S\n500 1\n", nil, true), ("1000S\n500 1\n", "-14 minutes", true), ("1000S\n500 1\n", "-16 minutes", false),
      ("1000S\n500 1\n", "1 hour", false),
      // More entries: the file says nothing of when they were counted, unless we counted.
      ("1000S\n500 1\n10 1\n", nil, false), ("1000S\n 500 1\n10 1\n", nil, true),
      // Restored from a backup: the file is older than its inode.
      ("1000S\n 500 1\n10 1\n", "-20 minutes", false),
      // A sum was carried over, not counted.
      ("1000S\n 500 1\n0 0\n", nil, false), ("1000S\n500 1\n0 0\n", nil, false),
    ] as [(String, String?, Bool)])
  func freshness(text: String, modified: String?, isFresh: Bool) throws {
    let file = try ledger(text, modified: modified)
    #expect(try file.isFresh(try Self.contents(text)) == isFresh)
  }

  @Test(
    "A file whose time stamp is before its birth was restored from a backup",
    arguments: [(nil, false), ("-1 day", true)]
      as [(String?, Bool)])
  func restored(modified: String?, isRestored: Bool) throws {
    let file = try ledger("1000S\n500 1\n", modified: modified)
    #expect(try file.wasRestored() == isRestored)
  }

  @Test("The age of a file is that of its inode; a change of its times is a change")
  func age() throws {
    let file = try ledger("1000S\n500 1\n", modified: "-1 day")
    #expect(try file.isYounger(than: 3600))
    #expect(try !file.isYounger(than: 0))
    // Its ctime is now, whatever its mtime.
    #expect(try file.wasChanged(within: 60))
    let future = try ledger("1000S\n500 1\n", modified: "1 day")
    #expect(try future.wasChanged(within: 60) && !future.wasChanged(within: 0))
  }

  @Test(
    "A header without a limit is a fault only where the mailbox has one",
    arguments: [(QuotaLimit(bytes: 1000), LedgerFault.unlimited), (.none, nil)] as [(QuotaLimit, LedgerFault?)])
  func unlimited(limit: QuotaLimit, fault: LedgerFault?) throws {
    #expect(try ledger("0S\n500 1\n").read(limit: limit).fault == fault)
  }

  @Test("Bytes without messages are a fault, unless they were just counted: names can say S=0")
  func lopsided() throws {
    #expect(try ledger("1000S\n500 0\n", modified: "-1 hour").read(limit: .none).fault == .lopsided)
    #expect(try ledger("1000S\n 0 3\n").read(limit: .none).fault == nil)
    #expect(try ledger("1000S\n0 3\n0 0\n").read(limit: .none).fault == .lopsided)
  }

  @Test(
    "The limit of the header is known even if the rest is broken",
    arguments: [
      ("1000S,5C\nx\n", QuotaLimit(bytes: 1000, messages: 5)), ("1000S\n5", QuotaLimit(bytes: 1000)), ("x\n5 1\n", nil),
      ("1000S", nil),
    ] as [(String, QuotaLimit?)])
  func headerLimit(text: String, limit: QuotaLimit?) throws {
    let reading = try ledger(text).read(limit: .none)
    #expect(reading.fault != nil && reading.headerLimit == limit)
  }

  @Test("An entry is appended to what is there; bytes can be read from any offset")
  func append() throws {
    let file = try ledger("1000S\n500 1\n")
    try file.append(LedgerContents.entry(of: 70))
    try file.append(LedgerContents.entry(of: 70, removing: true))
    #expect(sandbox.text("m/maildirsize") == "1000S\n500 1\n70 1\n-70 -1\n")
    #expect(try file.bytes(from: 12) == Array("70 1\n-70 -1\n".utf8))
    #expect(try file.bytes(from: 1000) == [])
  }

  @Test(
    "What cannot be opened as a ledger is a fault, not an error",
    arguments: [
      ("true", LedgerFault.missing), ("ln -s nowhere maildirsize", .notAFile), ("mkfifo maildirsize", .notAFile),
      ("mkdir maildirsize", .notAFile),
    ])
  func notAFile(command: String, expected: LedgerFault) throws {
    try Command.check(["sh", "-ec", "cd \(sandbox("m")); \(command)"])
    var found: LedgerFault?
    if case .failure(let fault) = try LedgerFile.open(in: try openMaildir(), mayBeReadOnly: true) { found = fault }
    #expect(found == expected)
  }

  @Test("A ledger that we may not open is unreadable, whoever owns it", .takesRoot, arguments: ["root", "nobody"])
  func unreadable(owner: String) throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n", mode: owner == "root" ? 0o600 : 0)
    try Command.check(["chown", owner, sandbox("m/maildirsize")])
    let directory = try openMaildir()
    let nobody = try #require(User(named: "nobody")).credentials
    let found = try nobody.acting { () throws(MaildirError) in
      switch try LedgerFile.open(in: directory, mayBeReadOnly: true) {
      case .success: LedgerFault?.none
      case .failure(let fault): fault
      }
    }
    #expect(found == .unreadable)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Quota
import TestSupport
import Testing

@testable import Maildir
@testable import Posix

/// Counting the same Maildir by the rules of each program.
struct CountingTreeTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
  }

  private func count(_ rule: CountingRule, checksSizes: Bool = false) throws -> MaildirCount {
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(of: maildir, rule, checksSizes: checksSizes, until: .never)
    _ = try count.look(all: true)
    return count
  }

  private func compare(_ rules: [CountingRule]) throws -> [QuotaUsage?] {
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    return try RuleComparison(of: maildir, rules, until: .never).usages
  }

  private func shell(_ commands: String) throws {
    try Command.check(["sh", "-ec", "cd \(sandbox("m")); \(commands)"])
  }

  /// Ten bytes in each file that `paths` name.
  private func store(_ paths: String...) throws {
    for path in paths { try sandbox.write("m/\(path)", "1234567890") }
  }

  /// What each profile counts: bytes and messages.
  private func expect(
    _ expected: [CountingProfile: (Int64, Int64)], _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for profile in CountingProfile.allCases {
      let usage = try #require(expected[profile], "\(profile.rawValue) is missing", sourceLocation: sourceLocation)
      #expect(
        try count(CountingRule(profile: profile)).usage == QuotaUsage(bytes: usage.0, messages: usage.1),
        "\(comment), \(profile.rawValue)", sourceLocation: sourceLocation)
    }
    // One walk for all rules gives the same.
    let rules = CountingProfile.allCases.map { CountingRule(profile: $0) }
    #expect(
      try compare(rules)
        == CountingProfile.allCases.map { expected[$0].map { QuotaUsage(bytes: $0.0, messages: $0.1) } },
      "\(comment), in one walk", sourceLocation: sourceLocation)
  }

  @Test("Messages in new/ and cur/ count for every program, those in tmp/ only for VDA")
  func inbox() throws {
    try store("new/a", "cur/b:2,S", "tmp/c")
    try expect([.common: (20, 2), .courier: (20, 2), .dovecot: (20, 2), .exim: (20, 2), .vda: (30, 3)], "inbox")
  }

  @Test("A folder counts; a folder in a folder only for Exim and VDA; a directory without a dot only for VDA")
  func folders() throws {
    try store(".A/cur/a", ".A.B/new/b", ".A/.C/cur/c", "D/cur/d")
    try expect([.common: (20, 2), .courier: (20, 2), .dovecot: (20, 2), .exim: (30, 3), .vda: (40, 4)], "folders")
  }

  @Test("What lies beside new/ and cur/ does not count, nor do files in the Maildir itself")
  func others() throws {
    try store("maildirsize.bak", ".A/maildirfolder", ".A/dovecot.index", "cur/sub/a")
    // Courier, Dovecot and Exim count entries of every kind: the directory cur/sub counts by its own size.
    let directory = Int64(try #require(sandbox.status("m/cur/sub")).st_size)
    let shared = directory / Int64(try #require(sandbox.status("m/cur/sub")).st_nlink)
    try expect(
      [.common: (0, 0), .courier: (directory, 1), .dovecot: (directory, 1), .exim: (shared, 1), .vda: (0, 0)], "others")
  }

  @Test("Courier leaves out messages with the flag T; the others count them until they are expunged")
  func trashed() throws {
    try store("cur/a,S=10:2,ST", "cur/b,S=10:2,S")
    try expect([.common: (20, 2), .courier: (10, 1), .dovecot: (20, 2), .exim: (20, 2), .vda: (20, 2)], "flag T")
  }

  @Test(
    "A symlinked folder counts for Dovecot and Exim; Courier passes it over, and the others leave it out and name it")
  func linkedFolder() throws {
    try store("cur/a", ".A/cur/b")
    try shell("mv .A ../elsewhere; ln -s ../elsewhere .A")
    try expect(
      [.common: (10, 1), .courier: (10, 1), .dovecot: (20, 2), .exim: (20, 2), .vda: (10, 1)], "linked folder")
    for profile in CountingProfile.allCases {
      let linked = try count(CountingRule(profile: profile)).linked.map(\.text)
      #expect(linked == (profile == .common || profile == .vda ? [".A"] : []), "\(profile.rawValue)")
    }
  }

  @Test("A symlink to a directory without cur and new is no folder, and not worth a word")
  func linkedDirectory() throws {
    try store("cur/a")
    try shell("mkdir ../scripts; touch ../scripts/main; ln -s ../scripts .sieve")
    try expect(
      [.common: (10, 1), .courier: (10, 1), .dovecot: (10, 1), .exim: (10, 1), .vda: (10, 1)], "linked scripts")
    for profile in CountingProfile.allCases { #expect(try count(CountingRule(profile: profile)).linked == []) }
  }

  @Test("A symlink to a file, or to nothing, is a setting and no folder", arguments: ["settings", "nowhere"])
  func linkedFile(target: String) throws {
    try store("cur/a")
    try shell("echo x > ../settings; ln -s ../\(target) .dovecot.sieve")
    try expect(
      [.common: (10, 1), .courier: (10, 1), .dovecot: (10, 1), .exim: (10, 1), .vda: (10, 1)], "symlink to a file")
  }

  @Test("Symlinked messages count for Courier, Dovecot, Exim and VDA, with the size of the file")
  func linkedMessage() throws {
    try shell("printf 12345 > ../file; ln -s ../../file cur/a")
    try expect([.common: (0, 0), .courier: (5, 1), .dovecot: (5, 1), .exim: (5, 1), .vda: (5, 1)], "linked message")
  }

  @Test("Of a file with two links Exim counts half the size for each")
  func hardLinks() throws {
    try store("cur/a")
    try shell("ln cur/a cur/b")
    try expect([.common: (20, 2), .courier: (20, 2), .dovecot: (20, 2), .exim: (10, 2), .vda: (20, 2)], "hard links")
  }

  @Test("A symlinked cur/ of a folder is left out by the common rule only")
  func linkedCur() throws {
    try store("cur/a", ".A/real/b")
    try shell("ln -s real .A/cur")
    try expect([.common: (10, 1), .courier: (20, 2), .dovecot: (20, 2), .exim: (20, 2), .vda: (20, 2)], "linked cur")
    #expect(try count(CountingRule()).linked.map(\.text) == [".A/cur"])
  }

  @Test("A symlinked cur/ of the Maildir itself is an error: its mail cannot be told from another mailbox's")
  func linkedInbox() throws {
    try shell("rmdir new; ln -s cur new")
    let maildir = Result { () throws in try count(CountingRule()).usage }
    guard case .failure(MaildirError.symlinkInside) = maildir else {
      Issue.record("\(maildir)")
      return
    }
  }

  @Test("The trash is left out by name, with its subfolders if so configured", arguments: [(false, 2), (true, 1)])
  func trash(leavesOutSubfolders: Bool, messages: Int64) throws {
    try store("cur/a", ".Trash/cur/b", ".Trash.old/cur/c")
    let rule = CountingRule(uncountedFolders: [Array(".Trash".utf8)], leavesOutSubfolders: leavesOutSubfolders)
    #expect(try count(rule).usage == QuotaUsage(bytes: 10 * messages, messages: messages))
  }

  @Test("Counting the inbox alone looks at no folder, even one that would be an error")
  func inboxOnly() throws {
    try store("cur/a", "new/b", ".A/cur/c")
    try shell("ln -s .A .B")
    #expect(try count(CountingRule(inboxOnly: true)).usage == QuotaUsage(bytes: 20, messages: 2))
  }

  @Test("A folder that only another user may enter is left out and named", .takesRoot)
  func unreadable() throws {
    try store("cur/a", ".A/cur/b", ".B/cur/c")
    try shell("chmod 0 .A .B/cur")
    let found = try Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group)).acting {
      () throws -> (QuotaUsage, [String]) in
      let count = try count(CountingRule())
      return (count.usage, count.unreadable.map(\.text).sorted())
    }
    #expect(found.0 == QuotaUsage(bytes: 10, messages: 1))
    #expect(found.1 == [".A/cur", ".A/new", ".B/cur"])
    try shell("chmod 700 .A .B/cur")
  }

  @Test("Sizes in names that the files do not have are counted as named, and reported")
  func wrongSizes() throws {
    try store("cur/a,S=10:2,S", "cur/b,S=999:2,S", ".A/new/c,S=1", "cur/d")
    let count = try count(CountingRule(), checksSizes: true)
    #expect(count.usage == QuotaUsage(bytes: 10 + 999 + 1 + 10, messages: 4))
    #expect(count.wrongSizes == 2 && count.wrongSizeExample.hasSuffix(": 10 bytes"))
  }

  @Test("A count that has no time left is unfinished, and says so")
  func deadline() throws {
    try store("cur/a")
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(of: maildir, CountingRule(), until: Deadline(secondsFromNow: 0))
    #expect(throws: MaildirError.countUnfinished) { try count.look(all: true) }
  }

  @Test("A mailbox that was just changed is not at rest")
  func rest() throws {
    try store("cur/a")
    var count = try count(CountingRule())
    let isAtRest = try count.isAtRest()
    #expect(!isAtRest)
  }
}

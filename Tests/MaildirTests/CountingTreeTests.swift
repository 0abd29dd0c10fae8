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
    for name in ["cur", "new", "tmp"] { try sandbox.makeDirectory("m/\(name)") }
  }

  private func count(_ rule: CountingRule, checksSizes: Bool = false) throws -> MaildirCount {
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(of: maildir, rule, checksSizes: checksSizes, until: .never)
    _ = try count.look(all: true)
    return count
  }

  private func shell(_ commands: String) throws {
    try Command.check(["sh", "-ec", "cd \(sandbox("m")); \(commands)"])
  }

  /// Ten bytes in each file that `paths` name.
  private func store(_ paths: String...) throws {
    for path in paths { try sandbox.write("m/\(path)", "1234567890") }
  }

  /// What each profile counts: bytes and messages; nil if it refuses the Maildir.
  private func expect(_ expected: [CountingProfile: (Int64, Int64)?], _ comment: Comment) {
    for profile in CountingProfile.allCases {
      var counted: QuotaUsage?
      do { counted = try count(CountingRule(profile: profile)).usage } catch { counted = nil }
      let usage = expected[profile, default: (0, 0)].map { QuotaUsage(bytes: $0.0, messages: $0.1) }
      #expect(counted == usage, "\(comment), \(profile.rawValue)")
    }
  }

  @Test("Messages in new/ and cur/ count for every program, those in tmp/ only for VDA")
  func inbox() throws {
    try store("new/a", "cur/b:2,S", "tmp/c")
    expect([.common: (20, 2), .courier: (20, 2), .dovecot: (20, 2), .exim: (20, 2), .vda: (30, 3)], "inbox")
  }

  @Test("A folder counts; a folder in a folder only for Exim and VDA; a directory without a dot only for VDA")
  func folders() throws {
    try store(".A/cur/a", ".A.B/new/b", ".A/.C/cur/c", "D/cur/d")
    expect([.common: (20, 2), .courier: (20, 2), .dovecot: (20, 2), .exim: (30, 3), .vda: (40, 4)], "folders")
  }

  @Test("What lies beside new/ and cur/ does not count, nor do files in the Maildir itself")
  func others() throws {
    try store("maildirsize.bak", ".A/maildirfolder", ".A/dovecot.index", "cur/sub/a")
    // Courier, Dovecot and Exim count entries of every kind: the directory cur/sub counts by its own size.
    let directory = Int64(try #require(sandbox.status("m/cur/sub")).st_size)
    let shared = directory / Int64(try #require(sandbox.status("m/cur/sub")).st_nlink)
    expect(
      [.common: (0, 0), .courier: (directory, 1), .dovecot: (directory, 1), .exim: (shared, 1), .vda: (0, 0)], "others")
  }

  @Test("Courier leaves out messages with the flag T; the others count them until they are expunged")
  func trashed() throws {
    try store("cur/a,S=10:2,ST", "cur/b,S=10:2,S")
    expect([.common: (20, 2), .courier: (10, 1), .dovecot: (20, 2), .exim: (20, 2), .vda: (20, 2)], "flag T")
  }

  @Test("A symlinked folder is refused, passed over or counted")
  func linkedFolder() throws {
    try store("cur/a", ".A/cur/b")
    try shell("mv .A ../elsewhere; ln -s ../elsewhere .A")
    expect([.common: nil, .courier: (10, 1), .dovecot: (20, 2), .exim: (20, 2), .vda: nil], "linked folder")
  }

  @Test("A symlink to a file, or to nothing, is a setting and no folder", arguments: ["settings", "nowhere"])
  func linkedFile(target: String) throws {
    try store("cur/a")
    try shell("echo x > ../settings; ln -s ../\(target) .dovecot.sieve")
    expect(
      [.common: (10, 1), .courier: (10, 1), .dovecot: (10, 1), .exim: (10, 1), .vda: (10, 1)], "symlink to a file")
  }

  @Test("Symlinked messages count for Courier, Dovecot, Exim and VDA, with the size of the file")
  func linkedMessage() throws {
    try shell("printf 12345 > ../file; ln -s ../../file cur/a")
    expect([.common: (0, 0), .courier: (5, 1), .dovecot: (5, 1), .exim: (5, 1), .vda: (5, 1)], "linked message")
  }

  @Test("Of a file with two links Exim counts half the size for each")
  func hardLinks() throws {
    try store("cur/a")
    try shell("ln cur/a cur/b")
    expect([.common: (20, 2), .courier: (20, 2), .dovecot: (20, 2), .exim: (10, 2), .vda: (20, 2)], "hard links")
  }

  @Test("A symlinked cur/ of a folder is an error for the common rule only")
  func linkedCur() throws {
    try store(".A/real/a")
    try shell("ln -s real .A/cur")
    expect([.common: nil, .courier: (10, 1), .dovecot: (10, 1), .exim: (10, 1), .vda: (10, 1)], "linked cur")
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

  @Test("A mailbox that was just changed is not at rest, nor is one with a young file in tmp/")
  func rest() throws {
    try store("tmp/a")
    var count = try count(CountingRule())
    let isAtRest = try count.isAtRest()
    #expect(!isAtRest)
  }
}

/// Whether two looks at a directory show that nothing has changed in between.
struct DirectoryStampTests {
  private static let now = Timestamp.coarse

  /// A stamp of a directory with these times, in seconds and nanoseconds before (negative) or after now.
  private static func stamp(
    modified: (Int64, Int64), changed: (Int64, Int64)? = nil, inode: UInt64 = 1
  ) throws -> DirectoryStamp {
    func time(_ offset: (Int64, Int64)) -> timespec {
      timespec(tv_sec: Int(now.seconds + offset.0), tv_nsec: Int(offset.1))
    }
    var status = stat()
    status.st_ino = UInt(inode)
    status.st_mode = S_IFDIR | 0o700
    status.st_mtim = time(modified)
    status.st_ctim = time(changed ?? modified)
    return try DirectoryStamp { () throws(SystemError) in FileStatus(status) }
  }

  @Test(
    "A stamp is settled if the clock has moved on since",
    arguments: [
      // Long ago; this second, before the clock; a time with fractions.
      ((-10, 500), true), ((-1, 500), true),
      // Whole seconds: a file system without fractions may give the same time for two seconds more.
      ((-10, 0), true), ((-1, 0), false), ((0, 0), false),
      // The future, as after a restored backup: every later change gets a different time.
      ((3600, 500), true), ((3600, 0), true),
      // A clock that is slightly ahead.
      ((2, 500), false),
    ] as [((Int64, Int64), Bool)])
  func settled(modified: (Int64, Int64), isSettled: Bool) throws {
    #expect(try Self.stamp(modified: modified).isSettled == isSettled)
  }

  @Test("The later of the two times decides")
  func later() throws {
    #expect(try !Self.stamp(modified: (-100, 5), changed: (2, 5)).isSettled)
    #expect(try !Self.stamp(modified: (2, 5), changed: (-100, 5)).isSettled)
    #expect(try Self.stamp(modified: (-100, 5), changed: (-90, 5)).isYounger(than: 91))
    #expect(try !Self.stamp(modified: (-100, 5), changed: (-90, 5)).isYounger(than: 60))
    #expect(try Self.stamp(modified: (-100, 5), changed: (3600, 5)).isYounger(than: 0))
    // A restored backup: the time of its last change decides.
    #expect(try !Self.stamp(modified: (3600, 5), changed: (-100, 5)).isYounger(than: 60))
  }

  @Test("Equal stamps are those of one directory with the same times, whenever they were taken")
  func equality() throws {
    let stamp = try Self.stamp(modified: (-10, 5))
    #expect(try stamp == Self.stamp(modified: (-10, 5)))
    #expect(try stamp != Self.stamp(modified: (-10, 6)))
    #expect(try stamp != Self.stamp(modified: (-10, 5), changed: (-9, 5)))
    #expect(try stamp != Self.stamp(modified: (-10, 5), inode: 2))
    #expect(try stamp.isSameDirectory(as: Self.stamp(modified: (-99, 5))))
    #expect(try !stamp.isSameDirectory(as: Self.stamp(modified: (-10, 5), inode: 2)))
  }

  @Test("Waiting for a settled stamp takes it again, a few times at most")
  func waiting() throws {
    var looks = 0
    var status = stat()
    status.st_mode = S_IFDIR
    func look() throws(SystemError) -> FileStatus {
      looks += 1
      let now = Timestamp.coarse.adding(seconds: 1)
      status.st_mtim = timespec(tv_sec: Int(now.seconds), tv_nsec: Int(now.nanoseconds) | 1)
      status.st_ctim = status.st_mtim
      return FileStatus(status)
    }
    // A directory that never stops changing.
    #expect(try !DirectoryStamp(look).settled(look).isSettled)
    #expect(looks == 4)
  }
}

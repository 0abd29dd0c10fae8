// SPDX-License-Identifier: Apache-2.0
import Audit
import Configuration
import Database
import Findings
import Maildir
import Posix
import Postgres
import Site
import Tables
import Text

/// The locks, syncs and clocks of this machine and its file system.
struct MachineCheck {
  let site: Site
  let settings: Settings
  /// A Maildir in which to make a test file, nil if there is none.
  let sample: MaildirSample?
  private var found = FindingList(.machine)

  init(site: Site, settings: Settings, sample: MaildirSample?) {
    self.site = site
    self.settings = settings
    self.sample = sample
  }

  func findings() -> [Finding] {
    var check = self
    check.run()
    return check.found.findings
  }

  private mutating func run() {
    checkDatabaseClock()
    let what = "locks, directory syncs and the file system's clock"
    guard let sample else { return found.skip(what, because: "no Maildir was found") }
    guard sample.owner.canAct else {
      return found.skip(what, because: "root cannot act as another user here")
    }
    do {
      // Act as the owner, who may have replaced any of the directories meanwhile.
      try sample.owner.acting { () throws(SystemError) in
        try checkFileSystem(sample.path)
      }
    } catch {
      found.skip(what, because: error.shown)
    }
  }

  private mutating func checkFileSystem(_ maildir: Path) throws(SystemError) {
    let tmp = try File(open: maildir.appending("tmp"), [.directory, .noFollow])
    try checkDirectorySync(maildir)
    let trial = try TrialFile.make(in: tmp)
    let now = Timestamp.now.seconds
    let stamp = try trial.file.fstat().modified.seconds
    if abs(stamp - now) > 5 {
      found.add(
        .error, .clock, "the clock of the file system is \(abs(stamp - now)) s \(stamp > now ? "ahead" : "behind")",
        at: maildir.text, reason: "the age of a count decides whether a message may be refused",
        remedy: .advice("synchronize both hosts with one time server (chrony, systemd-timesyncd)"))
    }
    guard try tmp.isOnNetworkFileSystem() else {
      return found.good("the Maildirs are on a local file system, where locks work")
    }
    do {
      try trial.file.ofdLockExclusive(until: Deadline(secondsFromNow: 5))
      found.good("the Maildirs are on a network file system, and its locks work")
    } catch {
      found.add(
        .error, .fileLocks, "locks do not work on the network file system: \(error.shown)", at: maildir.text,
        reason: "mail is deferred: without a lock two deliveries could exceed the limit together",
        remedy: .advice("mount it with locking (nfs(5): vers=4, or without nolock)"))
    }
  }

  private mutating func checkDirectorySync(_ maildir: Path) throws(SystemError) {
    let new = try File(open: maildir.appending("new"), [.directory, .noFollow])
    guard try !new.fsyncDirectory("new") else { return }
    found.add(
      .warning, .directorySync, "the file system cannot sync a directory", at: maildir.text,
      reason: "a power cut may lose a message that Postfix takes for delivered",
      remedy: .advice("keep Maildirs on ext4, xfs, btrfs or NFS"))
  }

  private mutating func checkDatabaseClock() {
    guard let table = settings.listDatabase else { return }
    let deadline = Deadline(secondsFromNow: 10)
    let rows: PostgresConnection.Rows
    do {
      let settings = try TableDatabase(table, until: deadline).connection
      let connection = try site.actingAsUser { () throws(PostgresError) in try settings.connect(until: deadline) }
      rows = try connection.query(Array("SELECT extract(epoch FROM now())::bigint".utf8), until: deadline)
    } catch {
      // `TableCheck` reports a database that does not answer.
      return
    }
    guard let text = rows.first?.first.flatMap({ $0 })?.text, let theirs = Int64(text) else { return }
    let difference = theirs - Timestamp.now.seconds
    guard abs(difference) > 60 else { return found.good("the clocks of this machine and the database agree") }
    found.add(
      .warning, .clock, "the clock of the database is \(abs(difference)) s \(difference > 0 ? "ahead" : "behind")",
      at: table.text, reason: "one of the two is wrong; ages of files and log lines are misleading",
      remedy: .advice("synchronize both hosts with one time server (chrony, systemd-timesyncd)"))
  }
}

/// A file for tests in the directory `tmp`, removed with this value. It has a name meanwhile, since on some network
/// file systems a lock on a file without one proves nothing.
private struct TrialFile: ~Copyable {
  let file: File
  private let directory: File
  private let name: Path

  static func make(in tmp: borrowing File) throws(SystemError) -> TrialFile {
    let host = CurrentProcess.hostName.filter { $0 != UInt8(ascii: "/") }
    guard let name = Path(Array("\(CurrentProcess.identifier).ullage-check.".utf8) + host) else {
      preconditionFailure("a NUL in a host name")
    }
    let directory = try File(openat: tmp, ".", [.directory])
    let file = try File(openat: directory, name, [.readWrite, .create, .exclusive], mode: 0o600)
    return TrialFile(file: file, directory: directory, name: name)
  }

  private init(file: consuming File, directory: consuming File, name: Path) {
    self.file = file
    self.directory = directory
    self.name = name
  }

  deinit { directory.unlinkIfThere(name) }
}

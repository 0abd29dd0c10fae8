// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Quota
import Site
import Text

/// Courier IMAP's configuration, and how it was built.
struct CourierCheck {
  let settings: Settings
  /// Nil to look at the default path, and to report nothing if nothing is there.
  let directory: String?
  private var found = FindingList(.imap)

  init(settings: Settings, directory: String?) {
    self.settings = settings
    self.directory = directory
  }

  private static let usual = "/etc/courier"
  private static let programs: [Path] = [
    "/usr/bin/maildirmake.courier", "/usr/lib/courier/bin/maildirmake", "/usr/bin/maildirmake",
  ]

  private static let servers: [Path] = ["/usr/bin/imapd", "/usr/lib/courier-imap/bin/imapd", "/usr/local/bin/imapd"]

  func findings() -> [Finding] {
    var check = self
    check.run()
    return check.found.findings
  }

  private mutating func run() {
    let name = (directory ?? Self.usual) + "/imapd"
    guard let path = Path(name.utf8) else { return }
    // The configuration remains after the package is removed.
    if directory == nil, !Self.servers.contains(where: { isAllowed(.execution, to: $0) }) { return }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 1 << 20, until: Deadline(secondsFromNow: 10)) } catch {
      if directory != nil {
        found.skip("Courier IMAP", because: error.shown, remedy: .advice("name the directory that has the file imapd"))
      }
      return
    }
    checkFolder(LogicalLine.split(text), name)
    do { try checkBuild(name) } catch { found.skip("how Courier counts", because: error.shown) }
    if !found.hasTrouble() { found.good("Courier counts as Ullage does (\(name))") }
  }

  /// The clients' trash folder is a setting; the folder that does not count is fixed when Courier is built.
  private mutating func checkFolder(_ lines: [LogicalLine], _ name: String) {
    let value = lines.last { $0.assignment?.name.elementsEqual("IMAP_TRASHFOLDERNAME".utf8) ?? false }?.assignment?
      .value
    let folder = value.map { $0.text.replacing("\"", with: "").replacing("'", with: "") } ?? "Trash"
    guard folder != "Trash" else { return }
    found.add(
      .warning, .trash, "IMAP_TRASHFOLDERNAME is \(folder), but Courier leaves out only .Trash", at: name,
      reason:
        "deleted messages count, and moving messages to the trash does not empty a full mailbox. Courier reads the"
        + " file when it starts",
      remedy: .append(
        ["IMAP_TRASHFOLDERNAME=Trash"], file: name,
        TableFiles.runsSystemd ? [Command("systemctl", "restart", "courier-imap")] : []))
  }

  private mutating func checkBuild(_ name: String) throws(SystemError) {
    guard let program = Self.programs.first(where: { isAllowed(.execution, to: $0) }) else {
      return found.skip("whether Courier was built to count the trash", because: "there is no maildirmake")
    }
    let trial = try CourierTrial(program)
    let isUnusual = trial.countsTrash
    let ours = Set(settings.countingRule.uncountedFolders.map { String(decoding: $0, as: UTF8.self) })
    if isUnusual, ours.contains(".Trash") || settings.countingRule.profile == .courier {
      found.add(
        .warning, .trash,
        "this Courier was built --with-trashquota: it counts .Trash and messages flagged as deleted",
        at: program.text, reason: "each counts what the other leaves out, so the usage jumps",
        remedy: .set([.init("virtual_trash_count", "yes"), .init("maildir_count_profile", "maildir++")]))
    } else if !isUnusual {
      if !ours.contains(".Trash") {
        found.add(
          .warning, .trash, ".Trash counts here, but not for Courier", at: program.text,
          reason: "each counts what the other leaves out, so the usage jumps",
          remedy: .set([.init("virtual_trash_count", "no"), .init("virtual_trash_name", ".Trash")]))
      }
      if settings.countingRule.profile != .courier {
        found.add(
          .warning, .countProfile,
          "maildir_count_profile is \(settings.countingRule.profile.rawValue), but Courier IMAP runs here",
          at: name,
          reason: "Courier leaves out messages flagged as deleted, and both use the same maildirsize",
          remedy: .set("maildir_count_profile", "courier"))
      }
    }
  }
}

/// A test Maildir, counted by one of Courier's programs.
private struct CourierTrial {
  let countsTrash: Bool

  init(_ program: Path) throws(SystemError) {
    let directory = try Path.makeTemporaryDirectory("ullage-check")
    defer { _ = try? ChildProcess.run("/bin/rm", ["-r", directory], limit: 0, until: Deadline(secondsFromNow: 10)) }
    let maildir = directory.appending("Maildir")
    let deadline = Deadline(secondsFromNow: 10)
    _ = try ChildProcess.run(program, [maildir], limit: 4096, until: deadline)
    _ = try ChildProcess.run(program, ["-f", "Trash", maildir], limit: 4096, until: deadline)
    let trash = try File(open: maildir.appending(".Trash/cur"), .directory)
    _ = try File(openat: trash, "a,S=10:2,S", [.writeOnly, .create], mode: 0o600)
    _ = try ChildProcess.run(program, ["-q", "1000000S", maildir], limit: 4096, until: deadline)
    let ledger = try File(open: maildir.appending("maildirsize")).pread(upTo: 4096)
    countsTrash = ledger.text.split(separator: "\n").dropFirst().contains { $0.split(separator: " ").last != "0" }
  }
}

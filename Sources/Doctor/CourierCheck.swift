// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Quota
import Text

/// Courier IMAP's configuration, and how it was built.
struct CourierCheck {
  let settings: Settings
  /// Nil to look in the usual place, and to say nothing when there is none.
  let directory: String?

  private static let usual = "/etc/courier"
  private static let programs: [Path] = [
    "/usr/bin/maildirmake.courier", "/usr/lib/courier/bin/maildirmake", "/usr/bin/maildirmake",
  ]

  private static let servers: [Path] = ["/usr/bin/imapd", "/usr/lib/courier-imap/bin/imapd", "/usr/local/bin/imapd"]

  func run(_ report: inout CheckReport) {
    let name = (directory ?? Self.usual) + "/imapd"
    guard let path = Path(name.utf8) else { return }
    // Its configuration outlives the program.
    if directory == nil, !Self.servers.contains(where: { isAllowed(.execution, to: $0) }) { return }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 1 << 20, until: Deadline(secondsFromNow: 10)) } catch {
      if directory != nil {
        report.skip("Courier IMAP", because: error.shown, remedy: "name the directory that has the file imapd")
      }
      return
    }
    let count = report.diagnoses.count
    checkFolder(LogicalLine.split(text), name, &report)
    do { try checkBuild(name, &report) } catch { report.skip("how Courier counts", because: error.shown) }
    if !report.hasTrouble(since: count) { report.good("Courier counts as Ullage does (\(name))") }
  }

  /// The folder that clients use as trash is a setting; the one that does not count was fixed when Courier was built.
  private func checkFolder(_ lines: [LogicalLine], _ name: String, _ report: inout CheckReport) {
    let value = lines.last { $0.assignment?.name.elementsEqual("IMAP_TRASHFOLDERNAME".utf8) ?? false }?.assignment?
      .value
    let folder = value.map { $0.text.replacing("\"", with: "").replacing("'", with: "") } ?? "Trash"
    guard folder != "Trash" else { return }
    report.add(
      .warning, .trash, "IMAP_TRASHFOLDERNAME is \(folder), but Courier leaves out .Trash whatever it says", at: name,
      reason: "what users throw away counts, and a full mailbox cannot be emptied by moving messages there",
      remedy: "IMAP_TRASHFOLDERNAME=Trash")
  }

  private func checkBuild(_ name: String, _ report: inout CheckReport) throws(SystemError) {
    guard let program = Self.programs.first(where: { isAllowed(.execution, to: $0) }) else {
      return report.skip("whether Courier was built to count the trash", because: "there is no maildirmake")
    }
    let trial = try CourierTrial(program)
    let isUnusual = trial.countsTrash
    let ours = Set(settings.countingRule.uncountedFolders.map { String(decoding: $0, as: UTF8.self) })
    if isUnusual, ours.contains(".Trash") || settings.countingRule.profile == .courier {
      report.add(
        .warning, .trash,
        "this Courier was built --with-trashquota: .Trash and messages flagged as deleted count for it",
        at: program.text, reason: "each of the two counts what the other leaves out, so that the usage jumps",
        remedy: "virtual_trash_count = yes, and no maildir_count_profile")
    } else if !isUnusual {
      if !ours.contains(".Trash") {
        report.add(
          .warning, .trash, ".Trash counts here, and does not for Courier", at: program.text,
          reason: "each of the two counts what the other leaves out, so that the usage jumps",
          remedy: "virtual_trash_count = no, and virtual_trash_name = .Trash")
      }
      if settings.countingRule.profile != .courier {
        report.add(
          .warning, .countProfile,
          "maildir_count_profile is \(settings.countingRule.profile.rawValue), and Courier IMAP is here",
          at: name,
          reason: "Courier leaves out messages that are flagged as deleted, and both keep one maildirsize",
          remedy: "maildir_count_profile = courier")
      }
    }
  }
}

/// A Maildir that a program of Courier's has counted.
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

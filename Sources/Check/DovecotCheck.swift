// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Quota
import Site
import Text

/// Dovecot's configuration, if it serves the same Maildirs.
struct DovecotCheck {
  let settings: Settings
  /// Nil to look at the default path, and to report nothing if nothing is there.
  let file: String?
  private var found = FindingList(.imap)

  init(settings: Settings, file: String?) {
    self.settings = settings
    self.file = file
  }

  private static let servers: [Path] = [
    "/usr/lib/dovecot/imap", "/usr/lib/dovecot/pop3", "/usr/libexec/dovecot/imap", "/usr/libexec/dovecot/pop3",
  ]

  func findings() -> [Finding] {
    var check = self
    check.run()
    return check.found.findings
  }

  private mutating func run() {
    let name = file ?? Doveconf.usualFile
    guard let path = Path(name.utf8) else { return }
    if file == nil, !TableFiles.exists(name) || !Self.servers.contains(where: { isAllowed(.execution, to: $0) }) {
      return
    }
    guard let text = output(["-n", "-c", path], name),
      let protocols = output(["-h", "-c", path, "protocols"], name)
    else { return }
    let words = protocols.split { " \n".contains($0) }
    let served = ["imap", "pop3"].filter { words.contains($0[...]) }
    // Dovecot may be installed for SASL or LMTP only.
    guard !served.isEmpty else { return }
    let dovecot = DovecotSettings(parsing: text)
    var withoutPlugin: [String] = []
    for name in served {
      guard let isLoaded = loadsPlugin(name, dovecot, path) else { return }
      if !isLoaded { withoutPlugin.append(name) }
    }
    checkDriver(dovecot, withoutPlugin, name)
    checkPlaces(dovecot, name)
    checkTrash(dovecot, name)
    if settings.countingRule.profile == .courier || settings.countingRule.profile == .exim {
      found.add(
        .warning, .countProfile,
        "maildir_count_profile is \(settings.countingRule.profile.rawValue), but Dovecot runs here", at: name,
        reason: "each counts what the other leaves out, so the usage jumps",
        remedy: .set("maildir_count_profile", "dovecot"))
    }
    if settings.countingRule.profile == .dovecot, !dovecot.listsByIndex {
      found.add(
        .notice, .countProfile, "mailbox_list_index is no: Dovecot does not count folders that are symlinks", at: name,
        reason: "maildir_count_profile = dovecot counts them, as Dovecot does by default",
        remedy: .set("maildir_count_profile", "maildir++"))
    }
    if !found.hasTrouble(), dovecot.rulesBehindGap.isEmpty {
      found.good("Dovecot keeps maildirsize as Ullage does (\(name))")
    }
  }

  private mutating func output(_ arguments: [Path], _ name: String) -> String? {
    do { return try Doveconf.output(arguments) } catch {
      switch error {
      case .noProgram: found.skip("Dovecot", because: "there is \(name), but no doveconf")
      case .failed(let complaint):
        found.skip(
          "Dovecot", because: "doveconf -n: \(complaint)", remedy: .run(Command("doveconf", "-n", "-c", name)))
      }
      return nil
    }
  }

  /// Whether a protocol's processes load the quota plugin. In 2.3 a block `protocol imap { }` that sets mail_plugins is
  /// not changed by a later setting outside of it.
  private mutating func loadsPlugin(_ served: String, _ dovecot: DovecotSettings, _ file: Path) -> Bool? {
    guard !dovecot.isNew, let filter = Path("protocol=\(served)".utf8) else { return dovecot.hasQuota }
    return output(["-h", "-f", filter, "-c", file, "mail_plugins"], file.text).map(DovecotSettings.loadsQuota)
  }

  private mutating func checkDriver(_ dovecot: DovecotSettings, _ withoutPlugin: [String], _ name: String) {
    let consequence =
      "it never writes maildirsize: messages deleted or moved by IMAP are not subtracted, so the usage is too"
      + " high until the nightly recount"
    let lines =
      dovecot.isNew
      ? ["mail_plugins {", "  quota = yes", "}", "quota \"User quota\" {", "  driver = maildir", "}"]
      : dovecot.pluginLines(for: withoutPlugin)
        // Its name and options stay.
        + (dovecot.quotaDrivers.contains("maildir") ? [] : ["plugin {", "  quota = maildir:User quota", "}"])
    let remedy = append(lines, name)
    guard withoutPlugin.isEmpty else {
      return found.add(
        .warning, .quotaDriver, "Dovecot runs \(withoutPlugin.joined(separator: " and ")) without its quota plugin",
        at: name, reason: consequence, remedy: remedy)
    }
    guard !dovecot.quotaDrivers.contains("maildir") else { return }
    let drivers = dovecot.quotaDrivers.joined(separator: ", ")
    found.add(
      .warning, .quotaDriver,
      drivers.isEmpty ? "Dovecot's quota plugin has no quota root" : "Dovecot's quota driver is \(drivers)", at: name,
      reason: consequence, remedy: remedy)
  }

  private mutating func checkPlaces(_ dovecot: DovecotSettings, _ name: String) {
    if let format = dovecot.mailFormat, format != "maildir" {
      found.add(
        .error, .folderLayout, "Dovecot's mail format is \(format)", at: name,
        reason: "it does not read the Maildirs that mail is delivered to",
        remedy: .advice(
          "mail_location = maildir:PATH (2.3), or mail_driver = maildir (2.4), after a conversion with dsync"))
    }
    if let directory = dovecot.controlDirectory {
      found.add(
        .error, .controlDirectory, "Dovecot keeps its control files in \(directory)", at: name,
        reason: "its maildirsize is there, so Dovecot and deliveries each have one and know nothing of the other",
        remedy: .advice(
          "remove CONTROL= from mail_location (2.3), or mail_control_path (2.4), and move subscriptions and"
            + " dovecot-uidlist back"))
    }
    if let layout = dovecot.layout, layout.lowercased() != "maildir++" {
      found.add(
        .error, .folderLayout, "Dovecot's folder layout is \(layout)", at: name,
        reason: "only folders named .Folder in the Maildir count here (Maildir++)",
        remedy: .advice("LAYOUT=maildir++, after a conversion with dsync"))
    }
  }

  private mutating func checkTrash(_ dovecot: DovecotSettings, _ name: String) {
    guard dovecot.hasQuota, dovecot.quotaDrivers.contains("maildir") else { return }
    let theirs = dovecot.uncountedFolders
    let ours = settings.countingRule.uncountedFolders.map { String(decoding: $0, as: UTF8.self) }
    let onlyOurs = ours.filter { !theirs.contains($0) }
    let mailboxes = onlyOurs.map { dovecot.mailbox(inDirectory: $0) }
    let rules = ["plugin {"] + dovecot.rules(ignoring: mailboxes).map { "  " + $0 } + ["}"]
    for rule in dovecot.rulesBehindGap.prefix(1) {
      found.add(
        .notice, .trash, "\(rule) applies only where the userdb sets \(dovecot.firstMissingRule)", at: name,
        reason: "Dovecot 2.3 reads quota_rule, quota_rule2 and so on, and stops at the first that is missing",
        remedy: append(rules, name))
    }
    let jumps = "the last to count wins, so the usage jumps, and users see a different one than deliveries"
    if !onlyOurs.isEmpty {
      let blocks = mailboxes.flatMap { ["  mailbox \"\($0)\" {", "    quota_ignore = yes", "  }"] }
      let lines = dovecot.isNew ? ["\(dovecot.inboxBlock ?? "namespace inbox") {"] + blocks + ["}"] : rules
      found.add(
        .warning, .trash, "\(Self.list(onlyOurs)) not count here, but Dovecot counts \(Self.them(onlyOurs))", at: name,
        reason: jumps,
        remedy: append(lines, name))
    }
    let onlyTheirs = theirs.filter { !ours.contains($0) }
    if !onlyTheirs.isEmpty {
      found.add(
        .warning, .trash, "\(Self.list(onlyTheirs)) not count for Dovecot, but \(Self.they(onlyTheirs)) here", at: name,
        reason: jumps,
        remedy: .set([
          .init("virtual_trash_count", "no"),
          .init("virtual_trash_name", (ours + onlyTheirs).joined(separator: ", ")),
        ]))
    }
    for parent in dovecot.uncountedParents where !settings.countingRule.leavesOutSubfolders {
      found.add(
        .warning, .trash, "folders below \(parent) count here, but not for Dovecot", at: name, reason: jumps,
        remedy: (ours + theirs).contains(parent)
          ? .set("virtual_trash_subfolders", "yes")
          : .advice("let Dovecot leave out \(parent) itself, too, or count both: here subfolders follow their folder"))
    }
  }

  /// `.Trash does`, `.Trash and .Spam do`
  private static func list(_ folders: [String]) -> String {
    "\(folders.joined(separator: " and ")) \(they(folders))"
  }

  private static func them(_ folders: [String]) -> String { folders.count == 1 ? "it" : "them" }
  private static func they(_ folders: [String]) -> String { folders.count == 1 ? "does" : "do" }

  /// Lines at the end of Dovecot's main file: the last setting of a name applies.
  private func append(_ lines: [String], _ name: String) -> Remedy {
    .append(lines, file: name, [Command("doveadm", "reload")])
  }
}

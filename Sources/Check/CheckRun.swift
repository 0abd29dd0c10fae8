// SPDX-License-Identifier: Apache-2.0
import Configuration
package import Findings
import Mailboxes
import Posix
import Site
import Sweep
import Text

/// Checks everything that a delivery needs: one `…Check` for each thing. Changes nothing.
package struct CheckRun {
  /// Where to look.
  package struct Options: Sendable {
    package var configurationFile: String
    package var postfixDirectory: String
    /// Nil to look at Debian's paths, and to report nothing if nothing is there.
    package var dovecotFile: String?
    package var courierDirectory: String?
    /// The mail user; nil for the user of the entry in master.cf.
    package var user: String?
    /// How many mailboxes are examined.
    package var mailboxCount = 100

    package init(configurationFile: String, postfixDirectory: String) {
      self.configurationFile = configurationFile
      self.postfixDirectory = postfixDirectory
    }
  }

  private let options: Options
  private let postfix: Result<PostfixDirectory, PostfixError>
  /// The entries of master.cf that run `ullage-deliver` with this configuration file; if there are none, those that
  /// run it with any.
  private let entries: [MasterService]
  /// Those with another one.
  private let others: [MasterService]
  /// Those that hand mail to the LMTP service.
  private let lmtp: [LMTPEntry]
  private let file: SettingsFile

  package static func findings(_ options: Options) throws -> [Finding] {
    try CheckRun(options).findings()
  }

  private init(_ options: Options) {
    self.options = options
    do { postfix = .success(try PostfixDirectory(options.postfixDirectory)) } catch { postfix = .failure(error) }
    var all: [MasterService] = []
    if case .success(let directory) = postfix { all = EntryCheck.entries(in: directory) }
    file = SettingsFile(options.configurationFile)
    lmtp = Self.lmtpEntries(postfix, file)
    // A site may have several mail users, each with its own entry and configuration file.
    let own = all.filter { EntryCheck.configurationFile(of: $0) == options.configurationFile }
    entries = own.isEmpty && lmtp.isEmpty ? all : own
    let entries = entries
    others = all.filter { !entries.contains($0) }
  }

  private static func lmtpEntries(
    _ postfix: Result<PostfixDirectory, PostfixError>, _ file: SettingsFile
  ) -> [LMTPEntry] {
    guard case .success(let directory) = postfix else { return [] }
    let settings: LMTPSettings?
    // `PostfixCheck` reports either mistake.
    do { settings = try file.lmtp.get() } catch { settings = nil }
    do { return try LMTPEntries(directory, Survey(directory.path), settings).find() } catch { return [] }
  }

  private func findings() throws -> [Finding] {
    var about = FindingList(.postfix)
    let user = findUser(&about)
    var configuration = ConfigurationCheck(
      name: options.configurationFile, user: user, postfixDirectory: options.postfixDirectory)
    let settings = configuration.run()
    let site = Site(
      configurationFile: options.configurationFile, settings: settings, user: user, postfix: postfix)
    var findings = about.findings + configuration.found.findings
    var connections: Int64?
    var tablesAnswer = true
    if let settings {
      var tables = TableCheck(site: site, settings: settings)
      connections = tables.run()
      findings += tables.found.findings
      tablesAnswer = !tables.found.findings.contains { $0.severity == .error }
      // `ConfigurationCheck` reports a mistake in them.
      if case .success(let usage) = file.usage {
        findings += UsageCheck(site: site, settings: settings, usage: usage).findings()
      }
    }
    findings += postfixFindings(site, connections)
    guard let settings else { return findings }
    findings += unitFindings(settings)
    var imap = [DovecotCheck(settings: settings, file: options.dovecotFile).findings()]
    imap.append(CourierCheck(settings: settings, directory: options.courierDirectory).findings())
    findings += LogCheck(site: site, settings: settings).findings() + imap.joined()
    return try findings + mailboxFindings(site, tablesAnswer: tablesAnswer)
  }

  /// The package's units read the usual file only.
  private func unitFindings(_ settings: Settings) -> [Finding] {
    guard !lmtp.isEmpty, options.configurationFile == Ullage.configurationFile, TableFiles.runsSystemd else {
      return []
    }
    return ServiceUnitCheck(
      base: settings.mailboxBase, entryUser: entries.first?.attributes["user"], isUsed: lmtp.contains(where: \.isUsed)
    ).findings()
  }

  private func postfixFindings(_ site: Site, _ connections: Int64?) -> [Finding] {
    var check = PostfixCheck(
      site: site, directory: options.postfixDirectory, entries: entries, others: others, lmtp: lmtp,
      connections: connections)
    check.run()
    guard case .success(let postfix) = postfix else { return check.found.findings }
    var policy = PolicyCheck(site: site, postfix: postfix)
    policy.run()
    return check.found.findings + policy.found.findings
  }

  private func mailboxFindings(_ site: Site, tablesAnswer: Bool) throws -> [Finding] {
    guard let settings = site.settings, site.user != nil || CurrentProcess.effectiveUser == 0 else {
      var skipped = FindingList(.mailboxes)
      skipped.skip("mailboxes, locks and clocks", because: "that takes root", remedy: .runAsRoot)
      return skipped.findings
    }
    var mailboxes = MailboxCheck(
      site: site, settings: settings, count: options.mailboxCount, tablesAnswer: tablesAnswer)
    let (rows, sample) = try mailboxes.run()
    var findings = mailboxes.found.findings
    findings += AddressLimitCheck(site: site, settings: settings).findings(of: rows)
    if case .success(let postfix) = postfix {
      findings += RouteCheck(postfix: postfix, entries: entries, lmtp: lmtp).findings(of: rows)
    }
    return findings + MachineCheck(site: site, settings: settings, sample: sample).findings()
  }

  /// The user that deliveries run as, nil if it is unknown or we cannot act as that user.
  private func findUser(_ found: inout FindingList) -> User? {
    let own = CurrentProcess.effectiveUser
    guard let name = options.user ?? entries.first?.attributes["user"] ?? serviceUser, let user = User(ofEntry: name),
      user.id != 0
    else {
      // A wrong or missing entry is reported separately.
      var isKnown = false
      if case .success = postfix { isKnown = true }
      if !isKnown || options.user != nil || entries.isEmpty && !lmtp.isEmpty {
        found.skip(
          "what the mail user may do", because: "it is unknown which user that is",
          remedy: .advice("name it with --user="))
      }
      return nil
    }
    if own != 0, own != user.id {
      found.skip("what \(user.name) may do", because: "only root can act as another user", remedy: .runAsRoot)
      return nil
    }
    guard user.credentials.canAct else {
      found.skip("what \(user.name) may do", because: "root cannot act as another user here (a container?)")
      return nil
    }
    return user
  }
}

extension CheckRun {
  /// The user of the LMTP service, whose entry does not name one: that of the package's unit, or else the owner of the
  /// base, which is what a delivery needs.
  private var serviceUser: String? {
    guard !lmtp.isEmpty else { return nil }
    // The unit reads this file only.
    if options.configurationFile == Ullage.configurationFile, let name = UnitFile.user(of: "ullaged-lmtp.service") {
      return name
    }
    do {
      guard let base = Path(try file.settings.get().mailboxBase) else { return nil }
      return User(id: try stat(base).owner)?.name
    } catch { return nil }
  }
}

extension Remedy {
  static let runAsRoot = Remedy.advice("run it as root")
}

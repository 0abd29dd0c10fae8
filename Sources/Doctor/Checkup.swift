// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Posix
import Postfix

/// Looks at everything that a delivery needs. Nothing is changed.
package struct Checkup {
  package struct Options: Sendable {
    package let configurationFile: String
    package let postfixDirectory: String
    /// Nil to look where Debian has them, and to say nothing where they are not.
    package let dovecotFile: String?
    package let courierDirectory: String?
    /// The mail user, nil for that of the entry in master.cf.
    package let user: String?
    /// How many mailboxes are looked at.
    package let mailboxCount: Int

    package init(
      configurationFile: String, postfixDirectory: String, dovecotFile: String?, courierDirectory: String?,
      user: String?, mailboxCount: Int
    ) {
      self.configurationFile = configurationFile
      self.postfixDirectory = postfixDirectory
      self.dovecotFile = dovecotFile
      self.courierDirectory = courierDirectory
      self.user = user
      self.mailboxCount = mailboxCount
    }
  }

  let options: Options
  private(set) var report = CheckReport()

  package static func run(_ options: Options) throws -> [Diagnosis] {
    // pipe(8) hands on none of these; and with root's HOME, libpq would fail as the mail user.
    CurrentProcess.removeDatabaseEnvironment()
    var checkup = Checkup(options: options)
    try checkup.run()
    return checkup.report.diagnoses
  }

  private init(options: Options) {
    self.options = options
  }

  private mutating func run() throws {
    let postfix: Result<PostfixDirectory, PostfixError>
    do { postfix = .success(try PostfixDirectory(options.postfixDirectory)) } catch { postfix = .failure(error) }
    let entries = (try? postfix.get()).map { EntryCheck.entries(in: $0) } ?? []
    let user = findUser(entries)
    report.begin(.configuration)
    let settings = ConfigurationCheck(name: options.configurationFile, user: user).run(&report)
    report.begin(.tables)
    let connections = settings.map { TableCheck(settings: $0, user: user).run(&report) }
    report.begin(.postfix)
    checkUser(user, &report)
    PostfixCheck(
      directory: options.postfixDirectory, postfix: postfix, entries: entries, settings: settings,
      configurationFile: options.configurationFile, connections: connections ?? nil
    ).run(&report)
    guard let settings else { return }
    report.begin(.mailboxes)
    let sample = try MailboxCheck(settings: settings, user: user, count: options.mailboxCount).run(&report)
    report.begin(.imap)
    DovecotCheck(settings: settings, file: options.dovecotFile).run(&report)
    CourierCheck(settings: settings, directory: options.courierDirectory).run(&report)
    report.begin(.machine)
    MachineCheck(settings: settings, user: user, maildir: sample).run(&report)
  }

  /// Whom the deliveries run as.
  private func findUser(_ entries: [MasterService]) -> CurrentProcess.User? {
    let name = options.user ?? entries.first?.attributes["user"] ?? ""
    let parts = name.split(separator: ":").map(String.init)
    guard let first = parts.first, let user = CurrentProcess.user(named: first) else {
      // Without an entry, whoever asks; root is never the mail user.
      return CurrentProcess.effectiveUser == 0 ? nil : CurrentProcess.user(CurrentProcess.effectiveUser)
    }
    let group = parts.count == 2 ? CurrentProcess.group(named: parts[1]) : nil
    return CurrentProcess.User(name: user.name, id: user.id, group: group ?? user.group)
  }

  private func checkUser(_ user: CurrentProcess.User?, _ report: inout CheckReport) {
    guard let user else {
      return report.skip(
        "what the mail user may do", because: "there is no entry in master.cf that names him",
        remedy: "ullage check --user=vmail")
    }
    if CurrentProcess.effectiveUser != 0, CurrentProcess.effectiveUser != user.id {
      report.skip(
        "what \(user.name) may do", because: "only root can see with another user's eyes", remedy: "run it as root")
    }
  }
}

extension CurrentProcess.User {
  /// Does `body` with this user's rights, where we are root.
  func acting<R, Failure>(_ body: () throws(Failure) -> R) throws(Failure) -> R {
    try CurrentProcess.acting(as: id, group: group, body)
  }
}

extension CurrentProcess.User? {
  func acting<R, Failure>(_ body: () throws(Failure) -> R) throws(Failure) -> R {
    guard let self else { return try body() }
    return try self.acting(body)
  }
}

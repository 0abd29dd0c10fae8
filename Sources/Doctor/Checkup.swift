// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Posix
import Postfix
import Postgres
import Text

/// Checks everything that a delivery needs. Changes nothing.
package struct Checkup {
  package struct Options: Sendable {
    package let configurationFile: String
    package let postfixDirectory: String
    /// Nil to look at Debian's paths, and to report nothing if nothing is there.
    package let dovecotFile: String?
    package let courierDirectory: String?
    /// The mail user; nil for the user of the entry in master.cf.
    package let user: String?
    /// How many mailboxes are examined.
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
    // pipe(8) passes none of these on, and with root's HOME libpq would fail as the mail user.
    PostgresConnection.removeEnvironment()
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
    let all = (try? postfix.get()).map { EntryCheck.entries(in: $0) } ?? []
    // A site may have several mail users, each with its own entry and configuration file.
    let own = all.filter { EntryCheck.configurationFile(of: $0) == options.configurationFile }
    let entries = own.isEmpty ? all : own
    let user = findUser(entries, isKnown: (try? postfix.get()) != nil)
    report.begin(.configuration)
    let settings = ConfigurationCheck(name: options.configurationFile, user: user).run(&report)
    report.begin(.tables)
    let connections = settings.flatMap { TableCheck(settings: $0, user: user).run(&report) }
    report.begin(.postfix)
    PostfixCheck(
      directory: options.postfixDirectory, postfix: postfix, entries: entries,
      others: all.filter { !entries.contains($0) }, settings: settings,
      configurationFile: options.configurationFile, connections: connections
    ).run(&report)
    guard let settings else { return }
    checkLog(settings, user)
    report.begin(.imap)
    DovecotCheck(settings: settings, file: options.dovecotFile).run(&report)
    CourierCheck(settings: settings, directory: options.courierDirectory).run(&report)
    report.begin(.mailboxes)
    guard user != nil || CurrentProcess.effectiveUser == 0 else {
      return report.skip("mailboxes, locks and clocks", because: "that takes root", remedy: "run it as root")
    }
    let mailboxes = MailboxCheck(
      settings: settings, user: user, count: options.mailboxCount, configurationFile: options.configurationFile)
    let (rows, sample) = try mailboxes.run(&report)
    if let postfix = try? postfix.get() {
      report.begin(.postfix)
      RouteCheck(postfix: postfix, entries: entries).run(rows, &report)
    }
    report.begin(.machine)
    MachineCheck(settings: settings, user: user, sample: sample).run(&report)
  }

  /// A delivery never waits for the log, and works without one.
  private mutating func checkLog(_ settings: Settings, _ user: User?) {
    let name = settings.logSocket.text
    guard let path = Path(settings.logSocket) else { return }
    if user.acting({ (try? stat(path))?.kind == .other && isAllowed(.writing, to: path) }) { return }
    report.add(
      .warning, .logSocket, "nothing listens on \(name)", at: "log_socket",
      reason:
        "the log lines of deliveries are lost, above all the causes of deferrals. (Postfix's maillog_file takes only"
        + " Postfix's own lines)",
      remedy: "run a syslog daemon or journald, or name its socket: log_socket = PATH in ullage.cf")
  }

  /// The user that deliveries run as, nil if it is unknown or we cannot act as that user.
  ///
  /// - Parameter isKnown: master.cf could be read.
  private mutating func findUser(_ entries: [MasterService], isKnown: Bool) -> User? {
    report.begin(.postfix)
    let own = CurrentProcess.effectiveUser
    guard let name = options.user ?? entries.first?.attributes["user"], let user = User(ofEntry: name),
      user.id != 0
    else {
      // A wrong or missing entry is reported separately.
      if !isKnown || options.user != nil {
        report.skip(
          "what the mail user may do", because: "it is unknown which user that is", remedy: "ullage check --user=vmail")
      }
      return nil
    }
    if own != 0, own != user.id {
      report.skip(
        "what \(user.name) may do", because: "only root can act as another user", remedy: "run it as root")
      return nil
    }
    guard user.credentials.canAct else {
      report.skip("what \(user.name) may do", because: "root cannot act as another user here (a container?)")
      return nil
    }
    return user
  }
}

extension User {
  /// Runs `body` with this user's rights if we are root.
  func acting<R, Failure>(_ body: () throws(Failure) -> R) throws(Failure) -> R {
    guard credentials.canAct else { return try body() }
    return try credentials.acting(body)
  }
}

extension User? {
  func acting<R, Failure>(_ body: () throws(Failure) -> R) throws(Failure) -> R {
    guard let self else { return try body() }
    return try self.acting(body)
  }
}

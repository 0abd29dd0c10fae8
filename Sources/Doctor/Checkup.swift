// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Posix
import Postfix
import Postgres
import Text

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
    // A site may have an entry for each mail user, with a file of its own.
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
      return report.skip("mailboxes, locks and clocks", because: "they are not yours", remedy: "run it as root")
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

  /// A delivery never waits for the log, and goes on where there is none.
  private mutating func checkLog(_ settings: Settings, _ user: User?) {
    let name = settings.logSocket.text
    guard let path = Path(settings.logSocket) else { return }
    if user.acting({ (try? stat(path))?.kind == .other && isAllowed(.writing, to: path) }) { return }
    report.add(
      .warning, .logSocket, "nobody listens on \(name)", at: "log_socket",
      reason:
        "what deliveries have to say is lost: the causes of deferrals above all. (Postfix's maillog_file takes only"
        + " Postfix's own)",
      remedy: "run a syslog daemon or journald, or name its socket: log_socket = PATH in ullage.cf")
  }

  /// Whom the deliveries run as, nil when that is not known or nobody can see with his eyes.
  ///
  /// - Parameter isKnown: master.cf could be read.
  private mutating func findUser(_ entries: [MasterService], isKnown: Bool) -> User? {
    report.begin(.postfix)
    let own = CurrentProcess.effectiveUser
    guard let name = options.user ?? entries.first?.attributes["user"], let user = User(ofEntry: name),
      user.id != 0
    else {
      // What is wrong with an entry, or that there is none, is a finding of its own.
      if !isKnown || options.user != nil {
        report.skip(
          "what the mail user may do", because: "it is not known who he is", remedy: "ullage check --user=vmail")
      }
      return nil
    }
    if own != 0, own != user.id {
      report.skip(
        "what \(user.name) may do", because: "only root can see with another user's eyes", remedy: "run it as root")
      return nil
    }
    guard user.credentials.canAct else {
      report.skip("what \(user.name) may do", because: "root may not act as another user here (a container?)")
      return nil
    }
    return user
  }
}

extension User {
  /// Does `body` with this user's rights, where we are root.
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

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// ullage.cf itself.
struct ConfigurationCheck {
  private let name: String
  private let user: User?
  private let postfixDirectory: String
  private(set) var found = FindingList(.configuration)

  init(name: String, user: User?, postfixDirectory: String = PostfixDirectory.usual) {
    self.name = name
    self.user = user
    self.postfixDirectory = postfixDirectory
  }

  /// - Returns: the settings, nil if they are invalid.
  mutating func run() -> Settings? {
    guard let path = Path(name.utf8) else { return nil }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 1 << 20, until: .never) } catch {
      // Deliveries may be able to read what we cannot.
      if error.number == Errno.EACCES, CurrentProcess.effectiveUser != user?.id {
        found.skip(name, because: "you may not read it", remedy: .runAsRoot)
        return nil
      }
      found.add(
        .error, .badConfiguration, error.shown, at: name, reason: "without it every message is deferred",
        remedy: remedy(for: error.number))
      return nil
    }
    checkRights(path)
    let file = ConfigurationFile(parsing: text)
    reportNames(file)
    reportUsage(file)
    do {
      let settings = try Settings(file)
      found.good("\(name) is valid")
      return settings
    } catch {
      // Unknown names have all been reported above.
      if file.unknownNames.isEmpty {
        found.add(
          .error, .badConfiguration, error.message, at: place(error.line),
          reason: "every message is deferred until it is corrected",
          remedy: .advice("correct it; see ullage.cf(5)"))
      }
      return nil
    }
  }

  private func remedy(for number: Int32) -> Remedy {
    switch number {
    case Errno.ENOENT:
      .advise(
        "let migrate write it, or write it as ullage.cf(5) says",
        [Command("ullage", "migrate", "--from", postfixDirectory, "--to", name)])
    case Errno.EACCES: .runAsRoot
    default: .advice("it must be a file of at most 1 MB that nobody is writing to")
    }
  }

  private func place(_ line: Int?) -> String { line.map { "\(name), line \($0)" } ?? name }

  private mutating func reportNames(_ file: ConfigurationFile) {
    for unknown in file.unknownNames {
      found.add(
        .error, .unknownParameter, "unknown parameter \(unknown.text)", at: place(unknown.line),
        reason:
          "a spelling mistake, or a name of your own that no line uses; every message is deferred, so that no"
          + " setting is lost silently",
        remedy: .advice("correct or remove the line; ullage check --defaults lists the names"))
    }
    for quoted in file.quotedNames {
      let isTrash = quoted.text == "virtual_trash_name"
      found.add(
        .notice, .quotedValue, "the value of \(quoted.text) is in double quotes, which are removed",
        at: place(quoted.line),
        reason: isTrash
          ? "VDA kept them, so the folder never matched and was counted; here it is not"
          : "VDA kept them as part of the value",
        remedy: .advice("remove the quotes if that is what you mean"))
    }
    add(
      .ownName, file.ownNames, "names of your own", reason: "other lines use them, as $name")
    add(
      .ignoredParameter, file.ignoredNames, "names with no meaning here",
      reason: "they are Postfix's, or were never VDA's; they are ignored")
  }

  /// What only `ullage` reads.
  private mutating func reportUsage(_ file: ConfigurationFile) {
    func report(_ error: ConfigurationError, _ consequence: String) {
      found.add(
        .warning, .badConfiguration, error.message, at: place(error.line),
        reason: "\(consequence) until it is corrected; deliveries ignore it",
        remedy: .advice("correct it; see ullage.cf(5)"))
    }
    do { _ = try UsageSettings(file) } catch { report(error, "no usage is published") }
    do { _ = try file.domainLimits() } catch { report(error, "domains are not compared with their limits") }
  }

  private mutating func add(
    _ kind: FindingKind, _ names: [ConfigurationFile.Name], _ title: String, reason: String
  ) {
    guard !names.isEmpty else { return }
    let lines = names.map { "\($0.line)" }.joined(separator: ", ")
    found.add(
      .notice, kind, "\(title): \(names.map(\.text).joined(separator: ", "))",
      at: "\(name), line\(names.count == 1 ? "" : "s") \(lines)", reason: reason)
  }

  private mutating func checkRights(_ path: Path) {
    let status: FileStatus
    do { status = try stat(path) } catch { return }
    if status.permissions & 0o022 != 0, !(status.permissions & 0o002 == 0 && status.group == 0) {
      found.add(
        .warning, .configurationRights,
        "users other than its owner may write to it (mode \(String(status.permissions, radix: 8)))",
        at: name, reason: "whoever writes it decides where mail goes", remedy: .run(.chmod("go-w", name)))
    }
    guard let user, CurrentProcess.effectiveUser == 0 || CurrentProcess.effectiveUser == user.id else { return }
    let group = Group.name(of: user.group) ?? "\(user.group)"
    // Readable for that user's group, and nobody else's.
    let rights = [Command.chown("root:\(group)", name), .chmod("640", name)]
    if !user.acting({ isAllowed(.reading, to: path) }) {
      found.add(
        .error, .configurationRights, "\(user.name) may not read it", at: name, reason: "every message is deferred",
        remedy: .run(
          rights + Command.grant(user.name, files: [], directories: TableFiles.closedDirectories(above: name, to: user))
        ))
    } else if status.owner == user.id {
      let isShared = status.permissions & 0o044 != 0
      let staysReadable =
        status.permissions & 0o004 != 0 || status.permissions & 0o040 != 0 && status.group == user.group
      found.add(
        .warning, .configurationRights, "it belongs to \(user.name)", at: name,
        reason: "a compromised program of that user could turn the quotas off",
        // Other readers keep their access.
        remedy: .run(
          !isShared
            ? rights
            : (staysReadable ? [] : Command.grant(user.name, files: [name]))
              + [.chown("root", name), .chmod("go-w", name)]))
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Findings
import Foundation
import Migration
import Posix
import Presentation
import Site
import Text

/// `ullage migrate`
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Make ullage.cf from a Postfix that was configured for VDA.",
    usage: """
      ullage migrate [--from DIR] [--to FILE] [--dry-run] [OPTIONS]
      """,
    discussion: """
      Writes the configuration file, and prints what changed on the way, what will be different, and the commands for \
      Postfix with the way back. Postfix's own files are read and never written.

      EXAMPLES:
        ullage migrate --dry-run
        ullage migrate --from /etc/postfix
        ullage migrate --lmtp

      EXIT STATUS: 0 done, 1 done, but something has to be solved before mail can flow, 64 usage error, 78 nothing was \
      written.
      """)

  @Option(help: ArgumentHelp("The directory with main.cf and master.cf.", valueName: "dir"))
  var from = PostfixDirectory.usual

  @Option(
    name: .customLong("to"),
    help: ArgumentHelp("The file to write. One that has settings is left alone without --force.", valueName: "file"))
  var target = Ullage.configurationFile

  @Flag(name: .customLong("dry-run"), help: "Print the file instead of writing it.")
  var isDryRun = false

  @Flag(help: "Replace a file that has settings; it is kept as FILE.old.")
  var force = false

  @Option(
    help: ArgumentHelp("The owner of the Maildirs; by default the user of virtual_uid_maps.", valueName: "name"))
  var user: String?

  @Flag(name: .customLong("lmtp"), help: "Let the LMTP service deliver, instead of a process for each message.")
  var usesLMTP = false

  @Option(
    help: ArgumentHelp(
      "The name of the new transport; by default ullage, and with --lmtp \(MasterEntry.lmtpTransport).",
      valueName: "name"))
  var transport: String?

  private var name: String { transport ?? (usesLMTP ? MasterEntry.lmtpTransport : "ullage") }

  func validate() throws {
    let isName = name.utf8.allSatisfy { $0.isASCIILetter || $0.isDigit || $0 == UInt8(ascii: "_") }
    guard isName, !name.isEmpty else { throw ValidationError("--transport must be letters, digits and _") }
    guard name != "virtual" else { throw ValidationError("--transport virtual is Postfix's own") }
    guard !usesLMTP || name.hasPrefix(LMTPEntries.prefix) else {
      throw ValidationError("--transport must begin with \(LMTPEntries.prefix): check knows the entry by that")
    }
  }

  func run() throws {
    try perform {
      let plan: MigrationPlan
      do {
        let postfix = try PostfixDirectory(from)
        try refuseOther(postfix)
        plan = try Migration.plan(
          from: postfix,
          .init(
            configurationFile: PostfixDirectory.absolute(target), transport: name, user: user, usesLMTP: usesLMTP),
          Survey(PostfixDirectory.absolute(from)))
      } catch let error as ConfigurationError {
        let place = error.line.map { "/main.cf, line \($0)" } ?? ""
        throw CommandError(ExitStatus.configuration, "\(from)\(place): \(error.message)")
      }
      guard plan.parameterCount > 0 else {
        throw CommandError(
          ExitStatus.configuration,
          "\(from)/main.cf sets nothing for virtual(8), so there is nothing to migrate; ullage.cf(5) has the parameters"
        )
      }
      if !isDryRun { try write(plan) }
      try MigrationText(
        plan, from: from, to: target, isDryRun: isDryRun, output: .standard(), style: .standardOutput
      ).write()
      return plan.findings(.obstacle).isEmpty ? ExitStatus.done : 1
    }
  }

  /// Refuses to replace an entry of that name that runs another program.
  private func refuseOther(_ postfix: PostfixDirectory) throws {
    guard let entry = postfix.master.transport(name), usesLMTP ? entry.command != "lmtp" : !entry.runsDelivery
    else { return }
    throw CommandError(
      ExitStatus.configuration,
      "master.cf has an entry \(name) already, which runs \(entry.program.first ?? entry.command); nothing was"
        + " written; give another name with --transport")
  }

  private func write(_ plan: MigrationPlan) throws {
    // Write the target of a symlink, and keep the link.
    guard let path = Path(URL(fileURLWithPath: target).resolvingSymlinksInPath().path.utf8) else {
      throw CommandError(ExitStatus.usage, "--to: the name contains NUL")
    }
    let old: [UInt8]?
    do { old = try File.contents(of: path, limit: 1 << 20, until: .never) } catch {
      guard error.number == Errno.ENOENT else { throw failure(error) }
      old = nil
    }
    // The file in the package has comments only.
    let hasSettings = old.map { !LogicalLine.split($0).isEmpty } ?? false
    guard !hasSettings || force || old == plan.configuration else {
      throw CommandError(
        ExitStatus.configuration,
        "\(target) has settings already, and nothing was written; --dry-run shows the new file, --force replaces it")
    }
    do {
      if hasSettings, let old, old != plan.configuration {
        try File.replace(try Self.free(path), with: old, mode: 0o640, group: group(plan))
      }
      // It contains no password, but where mail goes is private.
      try File.replace(path, with: plan.configuration, mode: 0o640, group: group(plan))
    } catch { throw failure(error) }
  }

  /// `FILE.old`, or `FILE.old2` and so on, so that no earlier copy is overwritten.
  private static func free(_ path: Path) throws(SystemError) -> Path {
    for ending in [".old"] + (2..<100).map({ ".old\($0)" }) {
      guard let name = Path(path.bytes + Array(ending.utf8)) else { continue }
      do { _ = try stat(name) } catch {
        guard error.number == Errno.ENOENT else { throw error }
        return name
      }
    }
    throw SystemError(.open, path.bytes + Array(".old".utf8), Errno.EEXIST)
  }

  /// The mail user's group, so that deliveries can read the file; nil unless we are root.
  private func group(_ plan: MigrationPlan) -> UInt32? {
    guard CurrentProcess.effectiveUser == 0 else { return nil }
    return User(ofEntry: plan.user)?.group
  }

  private func failure(_ error: SystemError) -> CommandError {
    let remedy =
      switch error.number {
      case Errno.ENOENT: "create the directory, or name another file with --to"
      case Errno.EACCES: "run it as root, or name another file with --to"
      case Errno.EINVAL, Errno.EISDIR: "that is not a file; name one with --to"
      default: "name a file on another disk with --to, or try again"
      }
    return CommandError(ExitStatus.configuration, "nothing was written: \(error.shown); \(remedy)")
  }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Mailboxes
import Posix
import Quota
import Site

/// The option of every command that reads ullage.cf.
struct ConfigurationOption: ParsableArguments {
  @Option(name: .customLong("config"), help: ArgumentHelp("The configuration file.", valueName: "file"))
  var file = Ullage.configurationFile

  /// From the root on, for commands that are printed.
  var path: String { file == Ullage.configurationFile ? file : PostfixDirectory.absolute(file) }

  func settings() throws -> Settings { try SettingsFile(file).settings.get() }

  /// For work on a directory: without a configuration file, the defaults apply.
  func settingsOrDefaults() throws -> Settings {
    guard file == Ullage.configurationFile, try !exists() else { return try settingsWithLedger() }
    StandardStream.writeError("ullage: warning: there is no \(file); the defaults apply, and .Trash does not count\n")
    return try Settings.defaults()
  }

  private func exists() throws -> Bool {
    guard let path = Path(file.utf8) else { return false }
    do { _ = try stat(path) } catch {
      guard error.number == Errno.ENOENT else { throw error }
      return false
    }
    return true
  }

  /// For commands about the ledger, which an inbox-only quota does not have.
  func settingsWithLedger() throws -> Settings {
    let settings = try settings()
    guard !settings.countingRule.inboxOnly else {
      throw CommandError(
        ExitStatus.configuration,
        "virtual_mailbox_limit_inbox = yes: no maildirsize is kept, so there is nothing to do; see ullage.cf(5)")
    }
    return settings
  }
}

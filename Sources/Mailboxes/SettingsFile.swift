// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
package import Tables
import Text

/// Why ullage.cf, or a table file that it names, is unusable.
package struct SettingsError: ExplainedError {
  /// The file, the line if a single one is at fault, what is wrong and what to do.
  package let sentence: [UInt8]

  package init(_ sentence: [UInt8]) {
    self.sentence = sentence
  }
}

extension TableSet {
  /// Opens every table that deliveries query, so that a mistake in one shows at the start of a service.
  package func open(for settings: Settings) throws(SettingsError) {
    for parameter in Parameter.tables {
      do { try open(settings.tables(parameter), until: .never) } catch { throw SettingsError(error.sentence) }
    }
  }
}

/// ullage.cf as read by `ullage` and `ullaged`.
package struct SettingsFile: Sendable {
  /// The lines that everything else is made of.
  package let contents: Result<ConfigurationFile, SettingsError>
  package let settings: Result<Settings, SettingsError>
  /// What only the policy service needs, by itself: a mistake there keeps nothing else from working.
  package let policy: Result<PolicySettings, SettingsError>
  /// The same for the LMTP service.
  package let lmtp: Result<LMTPSettings, SettingsError>
  package let metrics: Result<MetricsPlaces, SettingsError>
  /// What only `ullage` needs.
  package let usage: Result<UsageSettings, SettingsError>
  package let domainLimits: Result<[TableReference], SettingsError>
  /// Where to log, even if the rest of the file is invalid.
  package let logSocket: [UInt8]

  package init(_ name: String) {
    let file: ConfigurationFile
    do { file = try Self.read(name) } catch {
      (contents, settings) = (.failure(error), .failure(error))
      (policy, lmtp) = (.failure(error), .failure(error))
      (metrics, usage, domainLimits) = (.failure(error), .failure(error), .failure(error))
      logSocket = Array(Parameter.log_socket.definition.defaultText.utf8)
      return
    }
    contents = .success(file)
    logSocket = file.logSocket
    settings = Self.parse(name) { () throws(ConfigurationError) in try Settings(file) }
    policy = Self.parse(name) { () throws(ConfigurationError) in try PolicySettings(file) }
    lmtp = Self.parse(name) { () throws(ConfigurationError) in try LMTPSettings(file) }
    metrics = Self.parse(name) { () throws(ConfigurationError) in try MetricsPlaces(file) }
    usage = Self.parse(name) { () throws(ConfigurationError) in try UsageSettings(file) }
    domainLimits = Self.parse(name) { () throws(ConfigurationError) in try file.domainLimits() }
  }

  private static func read(_ name: String) throws(SettingsError) -> ConfigurationFile {
    guard let path = Path(name.utf8) else { throw SettingsError(Array("\(name): the name contains NUL".utf8)) }
    do { return ConfigurationFile(parsing: try File.contents(of: path, limit: 1 << 20, until: .never)) } catch {
      let remedy = error.number == Errno.EACCES ? "; let uid \(CurrentProcess.effectiveUser) read it" : "; see --config"
      throw SettingsError(error.sentence + Array(remedy.utf8))
    }
  }

  private static func parse<Value>(
    _ name: String, _ make: () throws(ConfigurationError) -> Value
  ) -> Result<Value, SettingsError> {
    do { return .success(try make()) } catch {
      let place = error.line.map { ", line \($0)" } ?? ""
      return .failure(SettingsError(Array("\(name)\(place): \(error.message)".utf8)))
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Text

/// Why ullage.cf, or a table file that it names, is unusable.
package struct SettingsError: ExplainedError {
  /// The file, the line if a single one is at fault, what is wrong and what to do.
  package let sentence: [UInt8]

  package init(_ sentence: [UInt8]) {
    self.sentence = sentence
  }
}

/// ullage.cf as read by `ullage` and `ullaged`.
package struct SettingsFile: Sendable {
  package let settings: Result<Settings, SettingsError>
  /// Where to log, even if the rest of the file is invalid.
  package let logSocket: [UInt8]

  package init(_ name: String) {
    let (settings, logSocket) = Self.read(name)
    self.settings = settings
    self.logSocket = logSocket ?? Array(Parameter.log_socket.definition.defaultText.utf8)
  }

  private static func read(_ name: String) -> (Result<Settings, SettingsError>, logSocket: [UInt8]?) {
    guard let path = Path(name.utf8) else {
      return (.failure(SettingsError(Array("\(name): the name contains NUL".utf8))), nil)
    }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 1 << 20, until: .never) } catch {
      let remedy = error.number == Errno.EACCES ? "; let uid \(CurrentProcess.effectiveUser) read it" : "; see --config"
      return (.failure(SettingsError(error.sentence + Array(remedy.utf8))), nil)
    }
    let file = ConfigurationFile(parsing: text)
    do { return (.success(try Settings(file)), file.logSocket) } catch {
      let place = error.line.map { ", line \($0)" } ?? ""
      return (.failure(SettingsError(Array("\(name)\(place): \(error.message)".utf8))), file.logSocket)
    }
  }
}

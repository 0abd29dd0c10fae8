// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
import Text

/// Why the configuration of a Postfix cannot be used.
package enum PostfixError: ExplainedError {
  case unreadable(SystemError)
  /// The file, and what is wrong in it.
  case badFile(String, ConfigurationError)

  /// Another user may be allowed to read it.
  package var isDenied: Bool { if case .unreadable(let error) = self { error.number == Errno.EACCES } else { false } }

  /// A line of main.cf or master.cf is wrong.
  package var isInFile: Bool { if case .badFile = self { true } else { false } }

  package var sentence: [UInt8] {
    switch self {
    case .unreadable(let error) where isDenied: error.sentence + Array("; run ullage as root".utf8)
    case .unreadable(let error):
      error.sentence + Array("; name the directory that has main.cf and master.cf, as postconf -c does".utf8)
    case .badFile(let name, let error):
      Array("\(name), \(error.line.map { "line \($0): " } ?? "")\(error.message)".utf8)
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Text

/// master.cf: the services of the mail system (master(5)).
package struct MasterFile: Sendable {
  package let services: [MasterService]

  package init(parsing text: [UInt8]) throws(ConfigurationError) {
    var services: [MasterService] = []
    for line in LogicalLine.split(text) {
      guard let words = Self.words(line.text) else {
        throw ConfigurationError(line: line.number, "an opening brace is never closed")
      }
      guard words.count >= 8 else {
        throw ConfigurationError(line: line.number, "expected eight fields, found \"\(line.text.text)\"")
      }
      services.append(MasterService(words, line: line.number))
    }
    self.services = services
  }

  /// The services that run `command`.
  package func services(running command: String) -> [MasterService] { services.filter { $0.command == command } }

  /// The last service of that name that takes mail for delivery.
  package func transport(_ name: String) -> MasterService? {
    services.last { $0.name == name && $0.type == "unix" }
  }

  /// Words separated by blanks, except inside braces, which are removed: `{ name = value }` is one word since
  /// Postfix 3.0. Nil if a brace is never closed.
  private static func words(_ text: [UInt8]) -> [String]? {
    var words: [String] = []
    var word: [UInt8] = []
    var depth = 0
    var isGrouped = false
    func finished(_ word: [UInt8]) -> String {
      isGrouped && word.last == UInt8(ascii: "}") ? Array(word.dropFirst().dropLast().trimmed).text : word.text
    }
    for byte in text {
      // `${name}` inside a word is not a group.
      if byte == UInt8(ascii: "{"), word.isEmpty { isGrouped = true }
      if byte == UInt8(ascii: "{"), isGrouped { depth += 1 }
      if byte == UInt8(ascii: "}"), isGrouped { depth -= 1 }
      if byte.isWhiteSpace, depth <= 0 {
        if !word.isEmpty { words.append(finished(word)) }
        (word, depth, isGrouped) = ([], 0, false)
      } else {
        word.append(byte)
      }
    }
    guard depth == 0 else { return nil }
    return word.isEmpty ? words : words + [finished(word)]
  }
}

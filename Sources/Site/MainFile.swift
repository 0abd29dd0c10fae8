// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Text

/// main.cf, read as text: without the patch, postconf(1) does not show VDA's parameters.
package struct MainFile: Sendable {
  /// A value, and the line on which it begins.
  package struct Entry: Sendable, Equatable {
    package let value: [UInt8]
    /// From 1.
    package let line: Int
  }

  /// If two lines have the same name, the last one applies (postconf(5)).
  package let entries: [String: Entry]

  package init(parsing text: [UInt8]) throws(ConfigurationError) {
    var entries: [String: Entry] = [:]
    for line in LogicalLine.split(text) {
      guard let (name, value) = line.assignment, !name.contains(where: \.isWhiteSpace) else {
        throw ConfigurationError(line: line.number, "expected name = value, found \"\(line.text.text)\"")
      }
      entries[name.text] = Entry(value: value, line: line.number)
    }
    self.entries = entries
  }
}

// SPDX-License-Identifier: Apache-2.0
import Text

/// A lookup without an answer, neither "found" nor "not found". It always defers the message.
package struct TableError: ExplainedError, Equatable, Sendable {
  /// What it takes until the lookup works. The numbers are those that a delivery reports (RFC 3463).
  package enum Kind: Sendable {
    /// The administrator must fix something (4.3.5).
    case configuration
    /// It may work later (4.3.0).
    case temporary
  }

  package let kind: Kind
  /// The installed Postfix has no support for the table's type.
  package let isUnsupportedType: Bool
  /// A socketmap server has answered, with this error: what is wrong is behind it.
  package let isAnswer: Bool
  /// What happened and what to do, for the log; never a password.
  package let sentence: [UInt8]

  package init(configuration text: String) {
    kind = .configuration
    isUnsupportedType = false
    isAnswer = false
    sentence = Array(text.utf8)
  }

  init(_ kind: Kind, _ table: String, _ text: String, isUnsupportedType: Bool = false, isAnswer: Bool = false) {
    self.kind = kind
    self.isAnswer = isAnswer
    self.isUnsupportedType = isUnsupportedType
    sentence = Array("\(table): \(text)".utf8)
  }
}

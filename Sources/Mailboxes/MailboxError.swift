// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Tables
import Text

/// Why a recipient's mailbox cannot be determined. It always defers the message.
package enum MailboxError: ExplainedError, Equatable {
  /// The tables of the parameter gave no answer.
  case table(TableError, of: Parameter = .virtual_mailbox_maps)
  /// The path that a table gave, and why it cannot be used.
  case badPath([UInt8], String)
  /// The parameter, and what its table gave.
  case badNumber(Parameter, [UInt8])
  /// The parameter, the id that its table gave, and ours; nil if the address is not in it.
  case otherUser(Parameter, Int64?, UInt32)
}

extension MailboxError {
  package var sentence: [UInt8] {
    switch self {
    case .table(let error, _): error.sentence
    case .badPath(let path, let reason):
      Array("virtual_mailbox_maps gives \"".utf8) + path + Array("\": \(reason)\(Self.padding(path))".utf8)
    case .badNumber(let parameter, let value):
      Array("\(parameter.rawValue) gives \"".utf8) + value
        + Array("\", which is not a whole number\(Self.padding(value))".utf8)
    case .otherUser(let parameter, let id, let own):
      Array("\(parameter.rawValue) gives \(id.map { "\($0)" } ?? "nothing")".utf8)
        + Array(", but deliveries run as \(Self.kind(parameter)) \(own)".utf8)
    }
  }

  /// A column of the type CHAR(n) fills its values up.
  private static func padding(_ value: [UInt8]) -> String {
    value.last == UInt8(ascii: " ")
      ? "; it ends in blanks, as in a column of type char(n): use rtrim() in the query, or varchar" : ""
  }

  private static func kind(_ parameter: Parameter) -> String { parameter == .virtual_gid_maps ? "gid" : "uid" }

  /// It may work later, without anything being changed.
  package var isTemporary: Bool { if case .table(let error, _) = self { error.kind == .temporary } else { false } }

  /// The parameter whose table gave the answer that cannot be used.
  package var parameter: Parameter {
    switch self {
    case .badNumber(let parameter, _), .otherUser(let parameter, _, _): parameter
    case .table(_, let parameter): parameter
    case .badPath: .virtual_mailbox_maps
    }
  }
}

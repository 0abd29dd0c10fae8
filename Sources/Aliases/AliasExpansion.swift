// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Tables
import Text

/// What becomes of a recipient, address by address.
package struct AliasExpansion: Equatable, Sendable {
  /// One replacement of an address.
  package struct Step: Equatable, Sendable {
    /// The one that names the tables; nil if Postfix completed the address (trivial-rewrite(8)).
    package let parameter: Parameter?
    package let address: [UInt8]
    /// Empty without a table.
    package let key: [UInt8]
    package let row: AliasRow?
    package let results: [[UInt8]]
  }

  /// Why it is not known, or what makes Postfix defer the message.
  package enum Failure: Error, Equatable, Sendable {
    case table(TableError, Parameter)
    /// The address, or the value that a table has for it.
    case notUnderstood([UInt8])
    /// An address without a domain, or with a host name only.
    case unknownDomain([UInt8])
    /// A table has an empty value for this address.
    case emptyValue([UInt8], Parameter)
    /// The aliases lead back to this address.
    case loop([UInt8])
    /// `virtual_alias_recursion_limit`
    case tooDeep([UInt8])
    /// `virtual_alias_expansion_limit`
    case tooMany
    /// `virtual_alias_address_length_limit`
    case tooLong([UInt8])
  }

  package let steps: [Step]
  /// The addresses that the message is delivered to, without quotes. One may occur more than once.
  package let result: Result<[[UInt8]], Failure>

  package init(steps: [Step], result: Result<[[UInt8]], Failure>) {
    self.steps = steps
    self.result = result
  }
}

extension AliasExpansion.Failure: ExplainedError {
  package var sentence: [UInt8] {
    switch self {
    case .table(let error, let parameter): Array("\(parameter.rawValue): ".utf8) + error.sentence
    case .notUnderstood(let text): quote(text, " is not a plain address, and nothing else is understood here")
    case .unknownDomain(let text):
      quote(text, " has no complete domain; set myorigin (and mydomain) in ullage.cf as main.cf does")
    case .emptyValue(let text, let parameter):
      quote(text, " has an empty value in \(parameter.rawValue), so Postfix defers the message")
    case .loop(let text): quote(text, ": aliases lead back to it, so Postfix defers the message")
    case .tooDeep(let text):
      quote(text, ": more aliases follow one another than virtual_alias_recursion_limit, so Postfix defers the message")
    case .tooMany: Array("more addresses than virtual_alias_expansion_limit, so Postfix defers the message".utf8)
    case .tooLong(let text):
      quote(text, " is longer than virtual_alias_address_length_limit, so Postfix defers the message")
    }
  }

  private func quote(_ text: [UInt8], _ rest: String) -> [UInt8] {
    Array("\"".utf8) + escaped(text) + Array("\"\(rest)".utf8)
  }
}

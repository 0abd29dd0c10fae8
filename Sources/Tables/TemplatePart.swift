// SPDX-License-Identifier: Apache-2.0
import Configuration

/// One piece of a template.
enum TemplatePart: Equatable, Sendable {
  case literal([UInt8])
  case expansion(Expansion)

  enum Expansion: Equatable, Sendable {
    /// `%s`, `%u`, `%d`
    case whole, user, domain
    /// `%S`, `%U`, `%D`: always of the key, even in a result format.
    case keyWhole, keyUser, keyDomain
    /// `%1` to `%9`: a label of the key's domain, counted from the right.
    case keyLabel(Int)
  }

  /// - Throws: if a `%` is followed by anything except `%` or one of the characters above.
  static func parse(_ text: [UInt8], line: Int?) throws(ConfigurationError) -> [TemplatePart] {
    var parts: [TemplatePart] = []
    var literal: [UInt8] = []
    var rest = text[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        literal.append(byte)
        continue
      }
      let letter = rest.popFirst()
      if letter == UInt8(ascii: "%") {
        literal.append(UInt8(ascii: "%"))
        continue
      }
      guard let letter, let expansion = Expansion(letter: letter) else {
        throw ConfigurationError(line: line, "% must be followed by one of s u d S U D 1-9 %")
      }
      parts += [.literal(literal), .expansion(expansion)]
      literal = []
    }
    return parts + [.literal(literal)]
  }
}

extension TemplatePart.Expansion {
  fileprivate init?(letter: UInt8) {
    switch letter {
    case UInt8(ascii: "s"): self = .whole
    case UInt8(ascii: "u"): self = .user
    case UInt8(ascii: "d"): self = .domain
    case UInt8(ascii: "S"): self = .keyWhole
    case UInt8(ascii: "U"): self = .keyUser
    case UInt8(ascii: "D"): self = .keyDomain
    case UInt8(ascii: "1")...UInt8(ascii: "9"): self = .keyLabel(Int(letter - 48))
    default: return nil
    }
  }

  /// The text, or nil if the key or value has no such part: then there is no lookup, or no result.
  func text(of value: KeyParts, key: KeyParts) -> [UInt8]? {
    switch self {
    case .whole: value.whole
    case .user: value.user.isEmpty ? nil : value.user
    case .domain: value.domain
    case .keyWhole: key.whole
    case .keyUser: key.user.isEmpty ? nil : key.user
    case .keyDomain: key.domain
    case .keyLabel(let number): key.labels.count < number ? nil : key.labels[number - 1]
    }
  }
}

// SPDX-License-Identifier: Apache-2.0

/// Masks possible passwords in libpq's texts: libpq quotes parts of a connection string it cannot parse.
struct SecretMask {
  private var secrets: [[UInt8]] = []

  init(_ parameters: [(keyword: String, value: [UInt8])]) {
    for (keyword, value) in parameters {
      switch keyword {
      case "password": secrets.append(value)
      case "dbname": secrets += Self.inURI(value) + Self.afterPassword(value)
      default: break
      }
    }
    // Longest first, in case one begins with another. Very short ones stay: a mask would reveal them.
    secrets = secrets.filter { $0.count > 2 }.sorted { $0.count > $1.count }
  }

  /// `text` with every secret replaced by `***`.
  func apply(to text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = text[...]
    while !rest.isEmpty {
      if let secret = secrets.first(where: { rest.starts(with: $0) }) {
        result += Array("***".utf8)
        rest = rest.dropFirst(secret.count)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result
  }

  /// `scheme://user:SECRET@host`: up to the last `@`, because a password may contain an unescaped one.
  private static func inURI(_ value: [UInt8]) -> [[UInt8]] {
    guard let scheme = value.indices.first(where: { value[$0...].starts(with: "://".utf8) }),
      let at = value.lastIndex(of: UInt8(ascii: "@")), scheme + 3 < at
    else { return [] }
    let account = value[(scheme + 3)..<at].split(separator: UInt8(ascii: ":"))
    return account.dropFirst().flatMap { $0.split(separator: UInt8(ascii: "@")).map { Array($0) } }
  }

  /// `password=SECRET`, also with blanks and quotes.
  private static func afterPassword(_ value: [UInt8]) -> [[UInt8]] {
    let word = Array("password".utf8)
    return value.indices.filter { value[$0...].starts(with: word) }.map { start in
      let rest = value[(start + word.count)...].drop { " ='".utf8.contains($0) }
      return Array(rest.prefix { !" &'".utf8.contains($0) })
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
import Text

/// The first line of the LMTP service on each connection, by which it is known.
package enum LMTPGreeting {
  private static let product = " Ullage LMTP\r\n"

  /// - Parameter host: our name.
  static func line(_ host: [UInt8]) -> [UInt8] { Array("220 ".utf8) + host + Array(product.utf8) }

  package static func isOurs(_ line: [UInt8]) -> Bool {
    line.starts(with: "220 ".utf8) && line.suffix(product.utf8.count).elementsEqual(product.utf8)
  }
}

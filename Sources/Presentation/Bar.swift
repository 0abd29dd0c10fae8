// SPDX-License-Identifier: Apache-2.0

/// A bar of block characters.
package enum Bar {
  /// - Parameters:
  ///   - share: 0 to 1; more shows as full.
  ///   - width: columns between the ends.
  package static func text(_ share: Double, width: Int) -> String {
    let filled = min(width, max(0, Int((share * Double(width)).rounded(.down))))
    return "▕" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled) + "▏"
  }
}

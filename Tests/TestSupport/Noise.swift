// SPDX-License-Identifier: Apache-2.0

/// Random input for a parser, the same in every run.
package struct Noise: Sequence, IteratorProtocol {
  private let pieces: [[UInt8]]
  private let length: Int
  private var rest: Int
  private var state: UInt64 = 4711

  /// - Parameters:
  ///   - pieces: what the parser treats specially, and something that it does not.
  ///   - length: the greatest number of pieces of a text.
  ///   - count: the number of texts.
  package init(_ pieces: [String], length: Int = 12, count: Int = 5000) {
    self.pieces = pieces.map { Array($0.utf8) } + [[0], [0xFF], [0xC3]]
    self.length = length
    rest = count
  }

  package mutating func next() -> [UInt8]? {
    guard rest > 0 else { return nil }
    rest -= 1
    return (0..<number(below: length + 1)).flatMap { _ in pieces[number(below: pieces.count)] }
  }

  private mutating func number(below bound: Int) -> Int {
    // A linear congruential generator (Knuth, MMIX).
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}

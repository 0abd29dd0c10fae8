// SPDX-License-Identifier: Apache-2.0

/// Up to 16 entries of a ledger, each from -8 to 7: small, since millions of states hold them.
package struct Lines: Hashable, Sequence {
  fileprivate var packed: UInt64 = 0
  package private(set) var count: Int8 = 0

  package init(_ lines: some Sequence<Int>) { for line in lines { append(line) } }

  package var sum: Int { reduce(0, +) }
  /// The number of positive entries.
  var positive: Int8 { Int8(count { $0 > 0 }) }

  mutating func append(_ line: Int) {
    precondition(count < 16 && (-8...7).contains(line))
    packed |= UInt64(line & 15) << UInt64(count * 4)
    count += 1
  }

  mutating func append(_ lines: Lines) { for line in lines { append(line) } }

  func dropFirst(_ number: Int8) -> Lines {
    var rest = self
    rest.packed >>= UInt64(number * 4)
    rest.count -= number
    return rest
  }

  package struct Iterator: IteratorProtocol {
    fileprivate var rest: UInt64
    fileprivate var left: Int8

    package mutating func next() -> Int? {
      guard left > 0 else { return nil }
      defer { (rest, left) = (rest >> 4, left - 1) }
      return rest & 8 == 0 ? Int(rest & 7) : Int(rest & 7) - 8
    }
  }

  package func makeIterator() -> Iterator { Iterator(rest: packed, left: count) }
}

/// One file that has the name `maildirsize`, had it, or will have it. Every message has one byte, so that an entry is
/// one number.
package struct LedgerFile: Hashable {
  /// What the first line tells about the total.
  package enum Origin: Hashable {
    /// Nothing: it is old.
    case old
    /// Counted by a recount of ours, which marks it.
    case countedByUs
    /// Counted by another program: verified while nothing has been appended.
    case countedByOther
    /// Added up, and marked as not counted.
    case compacted
  }

  package var lines: Lines
  package var origin: Origin
  /// It has been replaced by a process of ours that will carry over what still arrives.
  var isWatched = false

  package init(_ lines: [Int], _ origin: Origin) {
    self.lines = Lines(lines)
    self.origin = origin
  }

  /// Whether its total suffices for a refusal. All of it happens within 15 minutes.
  var isFresh: Bool { origin == .countedByUs || origin == .countedByOther && lines.count == 1 }
}

/// New numbers for the ledgers of a world; one that gets none is gone, as nobody has it open.
package struct FileNumbers {
  private var numbers = InlineArray<10, Int8>(repeating: -1)
  private var next: Int8 = 0

  mutating func number(_ file: inout Int8) {
    guard file >= 0 else { return }
    if numbers[Int(file)] < 0 {
      numbers[Int(file)] = next
      next += 1
    }
    file = numbers[Int(file)]
  }

  func arranged(_ files: InlineArray<10, LedgerFile>) -> InlineArray<10, LedgerFile> {
    var arranged = InlineArray<10, LedgerFile>(repeating: LedgerFile([], .old))
    for file in files.indices where numbers[file] >= 0 { arranged[Int(numbers[file])] = files[file] }
    return arranged
  }
}

/// A simulated Maildir: what all processes share.
package struct World: Hashable {
  /// A process by its number.
  package typealias Holder = Int8

  /// Messages, by bits.
  package var new: UInt16
  package var cur: UInt16
  /// Each change of a directory gives it another stamp.
  package var newStamp: UInt8 = 0
  package var curStamp: UInt8 = 0
  /// Room for ledgers; one without lines is free. Of fixed size, for speed.
  package var files = InlineArray<10, LedgerFile>(repeating: LedgerFile([], .old))
  /// The file that has the name, or -1.
  package var named: Int8
  package var limit: Int8
  /// A ledger with so many lines is compacted by the next delivery.
  package var longest: Int8 = 100
  /// The holder of the Maildir's lock, and of the turn to count; -1 for nobody.
  package var lock: Holder = -1
  package var turn: Holder = -1
  /// How many counted totals have been put in place.
  var counts: UInt8 = 0
  /// By how much the total may be too low through what other programs do wrong by themselves.
  package var excused: Int8 = 0
  /// A count of ours has been taken for certain that was wrong at that moment.
  package var isMiscounted = false
  /// A process may still be killed.
  package var mayKill: Bool

  /// - Parameters:
  ///   - messages: how many lie in `cur/`.
  ///   - lines: of `maildirsize`; nil if it is missing.
  package init(messages: Int, lines: [Int]?, limit: Int8, longest: Int8 = 100, mayKill: Bool = false) {
    new = 0
    cur = 1 << UInt16(messages) - 1
    named = lines == nil ? -1 : 0
    if let lines { files[0] = LedgerFile(lines, .old) }
    self.limit = limit
    self.longest = longest
    self.mayKill = mayKill
  }

  package var usage: Int { (new | cur).nonzeroBitCount }
  /// The total in the ledger, nil if it is missing.
  package var total: Int? { named < 0 ? nil : files[Int(named)].lines.sum }

  /// Equal values have equal hashes; most different ones differ here.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(UInt32(new) | UInt32(cur) << 16)
    hasher.combine(bytes(newStamp, curStamp, UInt8(bitPattern: named), UInt8(bitPattern: lock)))
    for file in files.indices { hasher.combine(files[file].lines.packed) }
  }

  package static func == (left: World, right: World) -> Bool {
    guard left.new == right.new, left.cur == right.cur, left.newStamp == right.newStamp,
      left.curStamp == right.curStamp, left.named == right.named, left.limit == right.limit,
      left.longest == right.longest, left.lock == right.lock, left.turn == right.turn, left.counts == right.counts,
      left.excused == right.excused, left.isMiscounted == right.isMiscounted, left.mayKill == right.mayKill
    else { return false }
    return left.files.indices.allSatisfy { left.files[$0] == right.files[$0] }
  }

  mutating func add(_ file: LedgerFile) -> Int8 {
    for place in files.indices where files[place].lines.count == 0 {
      files[place] = file
      return Int8(place)
    }
    preconditionFailure("too many ledgers")
  }

  mutating func append(_ line: Int, to file: Int8) { files[Int(file)].lines.append(line) }

  /// Whether an entry in this file (-1 for none) gets into no total. Without a ledger the next count finds the message.
  func loses(_ file: Int8) -> Bool { named >= 0 && file != named && (file < 0 || !files[Int(file)].isWatched) }

  mutating func addToNew(_ bit: UInt16) {
    new |= bit
    newStamp += 1
  }

  mutating func addToCur(_ bit: UInt16) {
    cur |= bit
    curStamp += 1
  }
}

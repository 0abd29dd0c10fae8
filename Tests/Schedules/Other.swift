// SPDX-License-Identifier: Apache-2.0

/// Another program that uses the mailbox and its ledger without a lock, in one of the ways that are in use.
package struct Other: Process {
  package enum Style: String, CaseIterable, Sendable {
    /// Opens the ledger, publishes its message, and appends to what it has open (`deliverquota`).
    case keepsOpen
    /// Publishes its message, and opens the ledger then (Dovecot).
    case opensAfter
    /// Opens the ledger, appends, and publishes its message then (maildrop, Exim).
    case entersFirst
    /// Stores a message in `cur/`, and opens the ledger then (IMAP APPEND and COPY).
    case storesInCur
    /// Removes a message, and opens the ledger then (Courier IMAP, Dovecot).
    case removes
    /// The same with a ledger that it has opened before.
    case removesAndKeepsOpen
    /// Counts, replaces the ledger, and removes it if the directories have changed meanwhile (Dovecot, Exim).
    case countsAndUnlinks
    /// The same, but counts anew (Courier).
    case countsAgain
    /// Moves all messages from `new/` to `cur/`, and changes a flag.
    case moves
    /// An administrator removes the ledger, to force a recount.
    case removesLedger
  }

  private enum Step: UInt8 {
    case open, publish, append, remove, countNew, countCur, replace, check, unlink, move, flag, done
  }

  package let number: World.Holder
  /// Nil for a process that does nothing.
  private let style: Style?
  private var at: Step
  private var file: Int8 = -1
  private var replacement: Int8 = -1
  private var new: UInt16 = 0
  private var cur: UInt16 = 0
  private var newStamp: UInt8 = 0
  private var curStamp: UInt8 = 0
  /// How many counts there had been when a message was removed.
  private var countsBefore: UInt8 = 0
  private var hasPublished = false

  package init(_ number: World.Holder, _ style: Style?) {
    self.number = number
    self.style = style
    at =
      switch style {
      case .keepsOpen, .entersFirst, .removesAndKeepsOpen: .open
      case .opensAfter, .storesInCur: .publish
      case .removes: .remove
      case .countsAndUnlinks, .countsAgain: .countNew
      case .moves: .move
      case .removesLedger: .unlink
      case nil: .done
      }
  }

  package var isDone: Bool { at == .done }
  package var name: String { "\(at)" }

  /// Equal values have equal hashes; most different ones differ here.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(bytes(at.rawValue, UInt8(bitPattern: file), newStamp, curStamp))
  }

  package mutating func step(_ world: inout World) -> Bool {
    switch at {
    case .open:
      file = world.named
      switch style {
      case .keepsOpen: at = .publish
      case .entersFirst, .opensAfter, .storesInCur, .removes: at = .append
      default: at = .remove
      }
    case .publish:
      // Whoever has counted in between has not seen the message whose entry was in the old file.
      if style == .entersFirst, world.named != file { world.excused += 1 }
      if style == .storesInCur { world.addToCur(bit) } else { world.addToNew(bit) }
      switch style {
      case .keepsOpen: at = .append
      case .opensAfter, .storesInCur: at = .open
      default: at = .done
      }
    case .append: append(&world)
    case .remove:
      let message: UInt16 = style == .removes ? 1 : 2
      // Another client may have removed it.
      guard world.cur & message != 0 else {
        at = .done
        break
      }
      world.cur &= ~message
      world.curStamp += 1
      countsBefore = world.counts
      at = style == .removes ? .open : .append
    case .countNew: (new, newStamp, at) = (world.new, world.newStamp, .countCur)
    case .countCur: (cur, curStamp, at) = (world.cur, world.curStamp, .replace)
    case .replace:
      world.named = world.add(LedgerFile([(new | cur).nonzeroBitCount], .countedByOther))
      world.counts += 1
      at = .check
    case .check:
      if (newStamp, curStamp) == (world.newStamp, world.curStamp) {
        at = .done
      } else {
        at = style == .countsAgain ? .countNew : .unlink
      }
    case .unlink:
      world.named = -1
      at = .done
    case .move:
      if world.new != 0 {
        world.cur |= world.new
        world.new = 0
        world.newStamp += 1
        world.curStamp += 1
      }
      at = .flag
    case .flag:
      world.curStamp += 1
      at = .done
    case .done: return false
    }
    // What nobody needs any more must not tell two states apart.
    if isDone { forget() }
    return true
  }

  package mutating func renumber(_ files: inout FileNumbers) { files.number(&file) }

  private mutating func forget() {
    self = Other(number, style)
    at = .done
  }

  private mutating func append(_ world: inout World) {
    let isRemoval = style == .removes || style == .removesAndKeepsOpen
    if isRemoval {
      // Another program has counted without the message, and now it is subtracted once more.
      if world.counts != countsBefore, file >= 0 { world.excused += 1 }
    } else if world.loses(file) {
      world.excused += 1
    }
    if file >= 0 { world.append(isRemoval ? -1 : 1, to: file) }
    at = style == .entersFirst ? .publish : .done
  }
}

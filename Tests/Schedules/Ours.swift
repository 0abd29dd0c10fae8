// SPDX-License-Identifier: Apache-2.0

/// A delivery of ours, or a repair: the steps of `OpenMailbox`, `Ledger` and `DeliveryAgent`.
package struct Ours: Process {
  package enum Task: Hashable, Sendable {
    case delivery
    /// The fsync of `new/` fails, and the message is taken back.
    case failingDelivery
    /// `ullage recompute`. At rest it also lowers a total that is too high.
    case repair(atRest: Bool)
  }

  package enum Outcome: Hashable, Sendable {
    case accepted, refused, deferred, repaired
  }

  /// The steps, in the order of a delivery that takes all of them. A lock is taken in one step with the call after it,
  /// and freed in one step with the call before it: nobody but a waiting process could see the difference. For the same
  /// reason a file without a name is written in one step with the call after that.
  private enum Step: UInt8 {
    case openLedger, readLedger
    // A long ledger is added up.
    case lockForSum, readForSum, installSum, lookAtOld, removeSum
    // Is there room by the ledger?
    case lock, reopen, decide
    // Is there room by a count? Outside of the lock first, then under it what has changed since.
    case takeTurn, countNew, countCur, lockForCount, readSum, checkNew, recountNew, checkCur, recountCur
    case installCounted, lookAtCounted, openOther
    // What has come while the total was written.
    case lookAtNew, lookAtCur, removeCounted
    // Lines that arrived in a replaced file.
    case readLate, writeLate
    // S3 to S5.
    case append, publish, look, openAgain, appendAgain
    case lockAgain, retract
    // Only of a repair.
    case correct
    case done
  }

  /// What follows when late lines have been taken over.
  private enum AfterLate {
    case sum, count, settle, refuse, end

    /// Nothing is carried over after it.
    var isLast: Bool { self != .sum && self != .count }
  }

  private struct Count: Hashable {
    var new: UInt16 = 0
    var cur: UInt16 = 0
    var newStamp: UInt8 = 0
    var curStamp: UInt8 = 0

    var usage: Int { (new | cur).nonzeroBitCount }
  }

  package let number: World.Holder
  private let task: Task
  private let mistakes: Mistakes
  package private(set) var outcome: Outcome?
  private var at: Step
  private var afterLate = AfterLate.end
  /// The open ledger, or -1; its lines and their sum as read last.
  private var file: Int8 = -1
  private var length: Int8 = 0
  private var sum: Int8 = 0
  /// A ledger that we have written, and what came out when it was exchanged.
  private var replacement: Int8 = -1
  private var cameOut: Int8 = -1
  /// The file that a count replaces, or -1, and its lines.
  private var snapshot: Int8 = -1
  private var snapshotLength: Int8 = 0
  /// A file that we have replaced, or -1, and how many of its lines have been taken over.
  private var displaced: Int8 = -1
  private var taken: Int8 = 0
  private var takesNegative = false
  private var late = Lines([])
  private var count = Count()
  /// What was carried over, and then by how much more directories have grown since they were counted.
  private var gain: Int8 = 0
  private var rounds: Int8 = 0
  private var attempts: Int8 = 0
  private var hasChanged = false
  /// What was really there when the last look began.
  private var usageAtCheck: Int8 = 0
  /// The message is still arriving: only its room is asked for.
  private var isEarly = false
  private var holdsTurn = false

  package init(_ number: World.Holder, _ task: Task, _ mistakes: Mistakes = []) {
    self.number = number
    self.task = task
    self.mistakes = mistakes
    at = .openLedger
    if isRepair { at = .takeTurn }
  }

  package var isDone: Bool { at == .done }

  /// A call that changes the mailbox, or by which a process learns of a change, for the comparison with the program.
  package enum Call: String {
    case lock, unlock, takeTurn, giveTurn, open, append, list, rename, link, look, unlink
  }

  /// The calls of the next step, without locks.
  package var calls: [Call] {
    switch at {
    case .openLedger, .reopen, .lockForCount, .openOther, .openAgain: [.open]
    case .installSum, .installCounted: [.rename]
    case .countNew, .countCur, .recountNew, .recountCur: [.list]
    case .writeLate, .append, .appendAgain, .retract: [.append]
    case .correct: count.usage > sum ? [.append] : []
    case .publish: [.link]
    case .look: [.look]
    case .removeSum, .removeCounted, .lockAgain: [.unlink]
    default: []
    }
  }
  package var name: String { "\(at)" }

  /// Equal values have equal hashes; most different ones differ here.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(bytes(at.rawValue, UInt8(bitPattern: file), UInt8(bitPattern: displaced), UInt8(bitPattern: length)))
    hasher.combine(
      bytes(UInt8(bitPattern: sum), UInt8(truncatingIfNeeded: count.usage), count.newStamp, count.curStamp))
  }

  private var isRepair: Bool { if case .repair = task { true } else { false } }

  package mutating func step(_ world: inout World) -> Bool {
    switch at {
    case .openLedger:
      file = world.named
      if file < 0 { receive(room: 0) } else { at = .readLedger }
    case .readLedger:
      read(world)
      if length >= world.longest { at = .lockForSum } else { receive(room: world.limit - sum) }

    case .lockForSum:
      guard lock(&world) else { return false }
      at = .readForSum
      // Only what was summed may be replaced by its sum.
      if world.named != file {
        file = world.named
        endSum(&world)
      }
    case .readForSum:
      replacement = world.add(LedgerFile([Int(sum), 0], .compacted))
      let lines = world.files[Int(file)].lines
      world.files[Int(replacement)].lines.append(lines.dropFirst(length))
      length = lines.count
      at = .installSum
    case .installSum:
      // An administrator has removed the ledger, to force a count.
      if world.named < 0, !mistakes.contains(.sumInPlaceOfNothing) {
        endSum(&world)
      } else {
        exchange(&world)
        at = .lookAtOld
      }
    case .lookAtOld:
      let isExpected = cameOut == file || cameOut < 0 || mistakes.contains(.sumInPlaceOfOther)
      if isExpected { adopt(&world, takesNegative: true, from: length) } else { at = .removeSum }
    case .removeSum:
      world.named = -1
      close(&world)
      endSum(&world)

    case .lock:
      guard lock(&world) else { return false }
      at = .decide
      if world.named != file || file < 0 {
        close(&world)
        at = .reopen
      }
    case .reopen:
      file = world.named
      if file < 0 { beginCount(&world) } else { at = .decide }
    case .decide:
      read(world)
      if sum < world.limit {
        admit(&world)
      } else if world.files[Int(file)].isFresh || mistakes.contains(.noRecount) {
        takeLate(&world, then: .refuse)
      } else {
        beginCount(&world)
      }

    case .takeTurn:
      guard world.turn < 0 else { return false }
      world.turn = number
      holdsTurn = true
      at = isRepair ? .countNew : .lock
    case .countNew:
      (count.new, count.newStamp, at) = (world.new, world.newStamp, .countCur)
    case .countCur:
      (count.cur, count.curStamp, at) = (world.cur, world.curStamp, .lockForCount)
    case .lockForCount:
      guard lock(&world) else { return false }
      close(&world)
      file = world.named
      (snapshot, snapshotLength) = (file, file < 0 ? 0 : world.files[Int(file)].lines.count)
      rounds = 0
      at = isRepair && file >= 0 ? .readSum : .checkNew
    case .readSum:
      read(world)
      at = .checkNew
    case .checkNew:
      usageAtCheck = Int8(world.usage)
      at = count.newStamp == world.newStamp || mistakes.contains(.noConfirmation) ? .checkCur : .recountNew
    case .recountNew:
      (count.new, count.newStamp, hasChanged, at) = (world.new, world.newStamp, true, .checkCur)
    case .checkCur:
      if count.curStamp == world.curStamp || mistakes.contains(.noConfirmation) {
        confirm(&world)
      } else {
        at = .recountCur
      }
    case .recountCur:
      (count.cur, count.curStamp, hasChanged) = (world.cur, world.curStamp, true)
      confirm(&world)

    case .installCounted:
      replacement = world.add(LedgerFile([count.usage], .countedByUs))
      if snapshot < 0, world.named >= 0 {
        // Another program has just made one, which stays.
        at = .openOther
      } else {
        exchange(&world)
        world.counts += 1
        at = .lookAtCounted
      }
    case .openOther:
      close(&world)
      file = world.named
      concludeCount(&world, isRecorded: file >= 0)
    case .lookAtCounted:
      let start = snapshotLength
      if cameOut != snapshot { snapshot = -1 }
      adopt(&world, takesNegative: false, from: start)
    case .lookAtNew:
      gain = Int8(max(0, world.new.nonzeroBitCount - count.new.nonzeroBitCount)) - gain
      if snapshot < 0, !mistakes.contains(.looksForGainOnly) { hasChanged = world.newStamp != count.newStamp }
      at = .lookAtCur
    case .lookAtCur:
      gain += Int8(max(0, world.cur.nonzeroBitCount - count.cur.nonzeroBitCount))
      if snapshot < 0, !mistakes.contains(.looksForGainOnly), world.curStamp != count.curStamp { hasChanged = true }
      if gain > 0 || hasChanged { at = .removeCounted } else { concludeCount(&world) }
    case .removeCounted:
      (world.named, hasChanged) = (-1, false)
      if !isRepair { concludeCount(&world) } else { countAgain(&world) }

    case .readLate:
      let lines = world.files[Int(displaced)].lines.dropFirst(taken)
      taken += lines.count
      late = Lines(mistakes.contains(.noCarryOver) ? [] : lines.filter { $0 > 0 || takesNegative })
      if afterLate.isLast { world.files[Int(displaced)].isWatched = false }
      if late.count == 0 { proceed(&world) } else { at = .writeLate }
    case .writeLate:
      if world.loses(file) { world.excused += late.positive }
      world.files[Int(file)].lines.append(late)
      if afterLate == .count { gain = Int8(late.sum) }
      late = Lines([])
      proceed(&world)

    case .append:
      world.append(1, to: file)
      at = mistakes.contains(.entryAfterMessage) ? .look : .publish
    case .publish:
      world.addToNew(bit)
      at = mistakes.contains(.entryAfterMessage) ? .append : .look
    case .look:
      let isReplaced = world.named != file && !mistakes.contains(.noSecondLook)
      if isReplaced { at = .openAgain } else { takeLate(&world, then: .settle) }
    case .openAgain:
      close(&world)
      file = world.named
      if file < 0 { settle(&world) } else { at = .appendAgain }
    case .appendAgain:
      world.append(1, to: file)
      settle(&world)

    case .lockAgain:
      guard lock(&world) else { return false }
      let isThere = world.new & bit != 0
      if isThere {
        world.new &= ~bit
        world.newStamp += 1
      }
      if isThere || mistakes.contains(.retractsAlways) { at = .retract } else { end(&world, .deferred) }
    case .retract:
      if file >= 0 { world.append(-1, to: file) }
      end(&world, .deferred)

    case .correct:
      let missing = count.usage - Int(sum)
      if missing > 0 || missing < 0 && task == .repair(atRest: true) { world.append(missing, to: file) }
      end(&world, .repaired)
    case .done: return false
    }
    // What nobody needs any more must not tell two states apart.
    if isDone { forget() }
    return true
  }

  package mutating func renumber(_ files: inout FileNumbers) {
    files.number(&file)
    files.number(&replacement)
    files.number(&cameOut)
    files.number(&snapshot)
    files.number(&displaced)
  }

  private mutating func forget() {
    let outcome = outcome
    self = Ours(number, task, mistakes)
    self.outcome = outcome
    at = .done
  }

  private mutating func forgetCount() {
    (length, sum, replacement, cameOut, snapshot, snapshotLength) = (0, 0, -1, -1, -1, 0)
    (count, rounds, attempts, hasChanged, usageAtCheck, gain) = (Count(), 0, 0, false, 0, 0)
  }

  /// Kills the process: the kernel frees its locks, and what it knew is lost.
  ///
  /// For microseconds it alone knows of entries that others have lost by replacing the ledger, or by delivering while
  /// it was replaced: that is excused.
  package mutating func die(_ world: inout World) {
    switch at {
    case .look: if world.named != file { world.excused += 1 }
    case .openAgain, .appendAgain: world.excused += 1
    case .lookAtOld, .removeSum:
      excuse(cameOut, length, &world)
      if cameOut != file { world.excused += Int8(max(0, world.usage - (world.total ?? world.usage))) }
    case .lookAtCounted:
      excuse(cameOut, snapshotLength, &world)
      excuseGrowth(&world)
    case .readLate, .writeLate:
      excuse(displaced, taken - late.count, &world)
      if afterLate == .count { excuseGrowth(&world) }
    case .lookAtNew, .lookAtCur, .removeCounted: excuseGrowth(&world)
    default: break
    }
    abandon(&world)
    free(&world)
    freeTurn(&world)
    forget()
  }

  private func excuse(_ file: Int8, _ taken: Int8, _ world: inout World) {
    guard file >= 0 else { return }
    world.excused += world.files[Int(file)].lines.dropFirst(taken).positive
    world.files[Int(file)].isWatched = false
  }

  private func excuseGrowth(_ world: inout World) {
    world.excused += Int8((world.new & ~count.new & ~count.cur | world.cur & ~count.new & ~count.cur).nonzeroBitCount)
  }
}

// What a step leads to; nothing here is a system call.
extension Ours {
  /// Takes the lock, if it is free.
  private func lock(_ world: inout World) -> Bool {
    guard world.lock < 0 || mistakes.contains(.noLock) else { return false }
    world.lock = number
    return true
  }

  private func free(_ world: inout World) { if world.lock == number { world.lock = -1 } }

  private mutating func freeTurn(_ world: inout World) {
    if holdsTurn { world.turn = -1 }
    holdsTurn = false
  }

  private mutating func read(_ world: World) {
    length = world.files[Int(file)].lines.count
    sum = Int8(world.files[Int(file)].lines.sum)
  }

  /// `Reception`: a mailbox that seems to be full is counted while the message arrives.
  private mutating func receive(room: Int8) {
    isEarly = room < 1
    at = .lock
    (length, sum, replacement, cameOut) = (0, 0, -1, -1)
  }

  private mutating func endSum(_ world: inout World) {
    free(&world)
    receive(room: world.limit - sum)
  }

  /// `OpenMailbox.admit` returns with the lock.
  private mutating func admit(_ world: inout World) {
    freeTurn(&world)
    forgetCount()
    if isEarly {
      free(&world)
      (isEarly, at) = (false, .lock)
    } else {
      at = mistakes.contains(.entryAfterMessage) ? .publish : .append
    }
  }

  private mutating func beginCount(_ world: inout World) {
    free(&world)
    (length, sum) = (0, 0)
    at = holdsTurn ? .countNew : .takeTurn
  }

  private mutating func confirm(_ world: inout World) {
    guard hasChanged else {
      if count.usage != usageAtCheck { world.isMiscounted = true }
      at = isRepair && file >= 0 ? .correct : .installCounted
      return
    }
    (rounds, hasChanged) = (rounds + 1, false)
    guard rounds == 3 else {
      at = .checkNew
      return
    }
    countAgain(&world)
  }

  private mutating func countAgain(_ world: inout World) {
    attempts += 1
    if attempts < 3 { beginCount(&world) } else { end(&world, .deferred) }
  }

  private mutating func concludeCount(_ world: inout World, isRecorded: Bool = true) {
    if count.usage >= Int(world.limit), !isRepair {
      takeLate(&world, then: .refuse)
    } else if !isRecorded {
      end(&world, .deferred)
    } else if isRepair {
      end(&world, .repaired)
    } else {
      admit(&world)
    }
  }

  private mutating func exchange(_ world: inout World) {
    (cameOut, world.named) = (world.named, replacement)
    if file >= 0, cameOut == file { world.files[Int(file)].isWatched = true }
  }

  /// What arrives in the file that we have replaced belongs in no other program's file.
  private mutating func close(_ world: inout World) {
    abandon(&world)
    (file, displaced) = (-1, -1)
  }

  /// Takes over no more of what arrives in the replaced file.
  private func abandon(_ world: inout World) {
    if displaced >= 0, world.files[Int(displaced)].isWatched { excuse(displaced, taken, &world) }
  }

  private mutating func adopt(_ world: inout World, takesNegative: Bool, from start: Int8) {
    (displaced, taken, self.takesNegative) = (file, start, takesNegative)
    file = replacement
    takeLate(&world, then: takesNegative ? .sum : .count)
  }

  private mutating func takeLate(_ world: inout World, then next: AfterLate) {
    afterLate = next
    if displaced >= 0, next.isLast, mistakes.contains(.noLateCarryOver) {
      world.files[Int(displaced)].isWatched = false
      displaced = -1
    }
    if displaced < 0 { proceed(&world) } else { at = .readLate }
  }

  private mutating func proceed(_ world: inout World) {
    switch afterLate {
    case .sum: endSum(&world)
    case .count:
      if mistakes.contains(.noThirdLook) { concludeCount(&world) } else { at = .lookAtNew }
    case .settle: settle(&world)
    case .refuse: end(&world, .refused)
    case .end:
      displaced = -1
      end(&world, .repaired)
    }
  }

  /// `fsync` of `new/` follows, which nobody else can see.
  private mutating func settle(_ world: inout World) {
    free(&world)
    if task == .failingDelivery { at = .lockAgain } else { end(&world, .accepted) }
  }

  private mutating func end(_ world: inout World, _ outcome: Outcome) {
    free(&world)
    if isRepair, displaced >= 0 { return takeLate(&world, then: .end) }
    freeTurn(&world)
    if outcome == .deferred { abandon(&world) }
    (self.outcome, at) = (outcome, .done)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Schedules
import Testing

/// Every order in which the steps of deliveries, repairs and other programs can follow each other.
struct ScheduleTests {
  /// The mailbox at the beginning. Only we know its limit.
  enum Scene: CaseIterable, Sendable {
    case roomy, long, nearlyFull, overcounted, missing

    func world(mayKill: Bool) -> World {
      switch self {
      case .roomy: World(messages: 2, lines: [2], limit: 100, mayKill: mayKill)
      case .long: World(messages: 2, lines: [1, 1, 0, 0], limit: 100, longest: 4, mayKill: mayKill)
      case .nearlyFull: World(messages: 2, lines: [2], limit: 3, mayKill: mayKill)
      case .overcounted: World(messages: 2, lines: [4], limit: 4, mayKill: mayKill)
      case .missing: World(messages: 2, lines: nil, limit: 100, mayKill: mayKill)
      }
    }

    /// How many of two messages fit.
    var room: Int { self == .nearlyFull ? 1 : 2 }
  }

  /// Two processes of ours.
  enum Pair: CaseIterable, Sendable {
    case deliveries, withFailure, withRepair

    var tasks: (Ours.Task, Ours.Task) {
      switch self {
      case .deliveries: (.delivery, .delivery)
      case .withFailure: (.delivery, .failingDelivery)
      case .withRepair: (.delivery, .repair(atRest: false))
      }
    }
  }

  private func explore(
    _ scene: Scene, _ pair: Pair, _ others: [Other.Style] = [], _ mistakes: Mistakes = [], mayKill: Bool = false,
    _ wrong: @escaping (World, [Ours]) -> String? = { _, _ in nil }
  ) -> Exploration {
    Exploration(scene.world(mayKill: mayKill), pair.tasks, others, mistakes) { world, ours in
      Self.wrongMessage(world, ours) ?? Self.wrongTotal(world) ?? wrong(world, ours)
    }
  }

  /// What was accepted is there, and nothing else.
  private static func wrongMessage(_ world: World, _ ours: [Ours]) -> String? {
    for process in ours {
      if process.outcome == .accepted, (world.new | world.cur) & process.bit == 0 {
        return "an accepted message is not there"
      }
      // In cur/ it may be: an IMAP server has moved what was to be taken back.
      if [.refused, .deferred].contains(process.outcome), world.new & process.bit != 0 {
        return "a message that was not accepted is there"
      }
    }
    return nil
  }

  /// The total is not too low, but for what other programs do wrong by themselves; a repair makes up for that, and at
  /// rest makes it exact.
  private static func wrongTotal(_ world: World) -> String? {
    if world.isMiscounted { return "a count was wrong" }
    if let total = world.total, world.usage - total > world.excused {
      return "the total is \(total) of \(world.usage), and \(world.excused) excused"
    }
    var world = world
    for isAtRest in [false, true] {
      var repair = Ours(7, .repair(atRest: isAtRest))
      while !repair.isDone { guard repair.step(&world) else { return "a repair waits" } }
      guard let total = world.total, total >= world.usage, total == world.usage || !isAtRest else {
        return "after a repair the total is \(world.total ?? -1) of \(world.usage)"
      }
    }
    return nil
  }

  @Test(
    "Ours alone: the total is exact, the limit holds, and whatever fits is accepted", arguments: Scene.allCases,
    Pair.allCases)
  func alone(scene: Scene, pair: Pair) {
    let exploration = explore(scene, pair) { world, ours in
      if world.usage > world.limit { return "over the limit" }
      let accepted = ours.count { $0.outcome == .accepted }
      // The room of a message that is taken back may have been refused to another one, and a count in between may have
      // included it.
      if pair == .withFailure { return nil }
      if world.total != world.usage { return "the total is \(world.total ?? -1), not \(world.usage)" }
      return accepted < min(scene.room, pair == .deliveries ? 2 : 1) ? "\(accepted) accepted" : nil
    }
    #expect(exploration.failure == nil)
    #expect(exploration.schedules > 50)
  }

  @Test("One of ours is killed at any step: the total is never too low", arguments: Scene.allCases, Pair.allCases)
  func killed(scene: Scene, pair: Pair) {
    let exploration = explore(scene, pair, mayKill: true) { world, _ in
      world.excused > 0 ? "excused without others" : world.usage > world.limit ? "over the limit" : nil
    }
    #expect(exploration.failure == nil)
  }

  /// All pairs of styles, also of one with itself.
  private static let styles = Other.Style.allCases.enumerated().flatMap { index, first in
    Other.Style.allCases.dropFirst(index).map { [first, $0] }
  }

  /// `scripts/stress` explores all of them, which takes minutes.
  private static let explored: [(Scene, Pair, Bool)] = Scene.allCases.flatMap { scene in
    Pair.allCases.flatMap { pair in [(scene, pair, false), (scene, pair, true)] }
  }.filter { scene, pair, mayKill in
    ProcessInfo.processInfo.environment["ULLAGE_STRESS"] != nil
      || pair == .deliveries && !mayKill && [.roomy, .nearlyFull].contains(scene)
  }

  @Test(
    "Two of ours beside any two others: nothing of ours is lost, and a repair makes the total exact",
    arguments: explored)
  func besideOthers(scene: Scene, pair: Pair, mayKill: Bool) {
    var (states, schedules) = (0, UInt128(0))
    for styles in Self.styles {
      let exploration = explore(scene, pair, styles, mayKill: mayKill)
      #expect(exploration.failure == nil, "\(styles)")
      states += exploration.states
      schedules += exploration.schedules
    }
    print("schedules: \(scene), \(pair)\(mayKill ? ", one killed" : ""): \(schedules) with \(states) states")
    #expect(schedules > 1_000_000)
  }

  @Test(
    "Each mistake that the protocol avoids is found",
    arguments: [
      (Mistakes.noLock, Scene.nearlyFull, Pair.deliveries, [], false),
      (.noRecount, .overcounted, .deliveries, [], false),
      (.entryAfterMessage, .roomy, .deliveries, [], true),
      (.noConfirmation, .missing, .deliveries, [.moves, .opensAfter], false),
      (.noCarryOver, .long, .deliveries, [.opensAfter], false),
      (.noLateCarryOver, .long, .deliveries, [.keepsOpen], false),
      (.sumInPlaceOfOther, .long, .deliveries, [.countsAgain, .opensAfter], false),
      (.sumInPlaceOfNothing, .long, .deliveries, [.removesLedger, .opensAfter], false),
      (.noSecondLook, .roomy, .deliveries, [.countsAgain], false),
      (.noThirdLook, .missing, .deliveries, [.opensAfter], false),
      (.looksForGainOnly, .missing, .deliveries, [.storesInCur, .removes], false),
      (.retractsAlways, .roomy, .withFailure, [.moves], false),
    ] as [(Mistakes, Scene, Pair, [Other.Style], Bool)])
  func mistakes(mistake: Mistakes, scene: Scene, pair: Pair, others: [Other.Style], mayKill: Bool) {
    func failure(_ mistakes: Mistakes) -> String? {
      explore(scene, pair, others, mistakes, mayKill: mayKill) { world, ours in
        if others.isEmpty, world.usage > world.limit { return "over the limit" }
        if ours.contains(where: { $0.outcome == .refused }), scene == .overcounted { return "refused without a count" }
        return nil
      }.failure
    }
    #expect(failure(mistake) != nil)
    #expect(failure([]) == nil)
  }
}

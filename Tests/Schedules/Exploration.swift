// SPDX-License-Identifier: Apache-2.0

/// All schedules of some processes: at each moment any of them may take the next step.
package struct Exploration {
  /// Different states of the Maildir and the processes together.
  package private(set) var states = 0
  /// Orders in which the steps can happen.
  package private(set) var schedules: UInt128 = 0
  /// What was wrong, and the schedule that led to it.
  package private(set) var failure: String?

  /// Of fixed size, for speed: two processes of ours, two others.
  private struct State: Hashable {
    var world: World
    var ours: InlineArray<2, Ours>
    var others: InlineArray<2, Other>

    func hash(into hasher: inout Hasher) {
      hasher.combine(world)
      for index in ours.indices { hasher.combine(ours[index]) }
      for index in others.indices { hasher.combine(others[index]) }
    }

    static func == (left: State, right: State) -> Bool {
      left.world == right.world && left.ours.indices.allSatisfy { left.ours[$0] == right.ours[$0] }
        && left.others.indices.allSatisfy { left.others[$0] == right.others[$0] }
    }
  }

  /// What happens next.
  private enum Move {
    case ours(Int), other(Int)
    case kill(Int)
  }

  private let check: (World, [Ours]) -> String?
  private let start: State
  /// The number of schedules from each state on.
  private var known: [State: UInt128] = [:]
  private var path: [Move] = []

  /// - Parameter check: what is wrong when all processes have ended; nil if nothing is.
  package init(
    _ world: World, _ ours: (Ours.Task, Ours.Task), _ others: [Other.Style] = [], _ mistakes: Mistakes = [],
    check: @escaping (World, [Ours]) -> String?
  ) {
    self.check = check
    start = State(
      world: world, ours: [Ours(0, ours.0, mistakes), Ours(1, ours.1, mistakes)],
      others: InlineArray { Other(Int8(2 + $0), $0 < others.count ? others[$0] : nil) })
    schedules = explore(start)
    states = known.count
    known = [:]
  }

  private mutating func explore(_ state: State) -> UInt128 {
    if let count = known[state] { return count }
    var count: UInt128 = 0
    var isDone = true
    for index in state.ours.indices where !state.ours[index].isDone {
      isDone = false
      count += follow(.ours(index), from: state)
      if state.world.mayKill { count += follow(.kill(index), from: state) }
    }
    for index in state.others.indices where !state.others[index].isDone {
      isDone = false
      count += follow(.other(index), from: state)
    }
    guard failure == nil else { return 0 }
    if isDone {
      count = 1
      if let wrong = check(state.world, state.ours.indices.map { state.ours[$0] }) { fail(wrong) }
    } else if count == 0 {
      fail("every process waits")
    }
    known[state] = count
    return count
  }

  private mutating func follow(_ move: Move, from state: State) -> UInt128 {
    guard failure == nil, let next = Self.state(after: move, from: state) else { return 0 }
    path.append(move)
    defer { path.removeLast() }
    return explore(next)
  }

  /// Nil if the process must wait.
  private static func state(after move: Move, from state: State) -> State? {
    var next = state
    switch move {
    case .ours(let index): guard next.ours[index].step(&next.world) else { return nil }
    case .other(let index): guard next.others[index].step(&next.world) else { return nil }
    case .kill(let index):
      next.world.mayKill = false
      next.ours[index].die(&next.world)
    }
    // Files are numbered in the order in which they are found, so that their numbers tell nothing.
    var files = FileNumbers()
    files.number(&next.world.named)
    for index in next.ours.indices { next.ours[index].renumber(&files) }
    for index in next.others.indices { next.others[index].renumber(&files) }
    next.world.files = files.arranged(next.world.files)
    return next
  }

  private mutating func fail(_ text: String) {
    var (state, steps) = (start, [String]())
    for move in path {
      switch move {
      case .ours(let index): steps.append("\(index) \(state.ours[index].name)")
      case .other(let index): steps.append("\(state.ours.count + index) \(state.others[index].name)")
      case .kill(let index): steps.append("\(index) killed before \(state.ours[index].name)")
      }
      state = Self.state(after: move, from: state) ?? state
    }
    failure = "\(text), by \(steps.joined(separator: ", "))"
  }
}

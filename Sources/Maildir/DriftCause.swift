// SPDX-License-Identifier: Apache-2.0
import Posix
package import Quota

/// Why a ledger differs from what the Maildir holds, as far as that can be determined.
package enum DriftCause: Equatable, Sendable {
  /// The total is exactly what this program's way of counting gives.
  case profile(CountingProfile)
  /// The difference is exactly the messages with the flag T.
  case trashedMessages
  /// The difference is exactly the messages in the trash.
  case trash
  /// The difference is exactly the messages without a size in their names.
  case unsized
  /// Lines that are torn or in another format.
  case damaged(LedgerFault)
  /// Another program or a backup put the file there: entries of writers with the old one open are lost.
  case replaced
  case unknown

  /// For programs.
  package var name: String {
    switch self {
    case .profile(let profile): "profile:\(profile.rawValue)"
    case .trashedMessages: "trashed-messages"
    case .trash: "trash"
    case .unsized: "unsized-messages"
    case .damaged: "damaged-lines"
    case .replaced: "replaced-file"
    case .unknown: "unknown"
    }
  }

  /// For people.
  package var sentence: String {
    switch self {
    case .profile(let profile): "exactly what \(profile.rawValue) counts; see maildir_count_profile"
    case .trashedMessages: "exactly the messages with flag T, which Courier leaves out"
    case .trash: "exactly the messages in the trash; see virtual_trash_count"
    case .unsized: "exactly the messages without a size in their names: virtual(8) or another program delivered them"
    case .damaged(let fault): "maildirsize was \(fault.phrase)"
    case .replaced:
      "entries are missing: another program or a backup replaced maildirsize, or virtual(8) delivered"
        + " without updating it"
    case .unknown: "cause unknown"
    }
  }
}

extension OpenMailbox {
  /// Tries other ways of counting until one gives the ledger's total.
  func cause(of repair: RepairResult) -> DriftCause? {
    guard let before = repair.before else {
      switch repair.fault {
      case .missing?, .unreadable?, .notAFile?, .unlimited?, nil: return nil
      case let fault?: return .damaged(fault)
      }
    }
    let alternatives = rule.alternatives
    // A cause that cannot be found in time is unknown.
    do {
      let counted = try RuleComparison(of: maildir, alternatives.map { $0.0 }, until: deadline)
      if let index = counted.usages.firstIndex(of: before) { return alternatives[index].1 }
    } catch {}
    return repair.lostEntries ? .replaced : .unknown
  }
}

extension CountingRule {
  /// Other ways of counting, and the cause that a ledger with the same total shows.
  fileprivate var alternatives: [(CountingRule, DriftCause)] {
    var trashed = self
    trashed.countsTrashed.toggle()
    var trash = self
    trash.uncountedFolders = uncountedFolders.isEmpty ? [Array(".Trash".utf8)] : []
    var sized = self
    sized.countsUnsized = false
    var found: [(CountingRule, DriftCause)] = [(trashed, .trashedMessages), (trash, .trash)]
    // VDA takes no size from a name.
    if profile != .vda { found.append((sized, .unsized)) }
    for profile in CountingProfile.allCases where profile != self.profile {
      for folders in [uncountedFolders, trash.uncountedFolders] {
        let rule = CountingRule(
          profile: profile, uncountedFolders: folders, leavesOutSubfolders: leavesOutSubfolders, inboxOnly: inboxOnly)
        found.append((rule, .profile(profile)))
      }
    }
    return found
  }
}

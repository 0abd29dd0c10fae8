// SPDX-License-Identifier: Apache-2.0
import Posix

/// An owner or a mode that keeps the mail user's programs out, or lets others in.
package struct RightsFault: Equatable, Sendable {
  /// A part of the Maildir.
  package enum Part: String, Sendable {
    case maildir, new, cur, tmp
    case ledger = "maildirsize"
  }

  /// What is wrong with the part.
  package enum Problem: Equatable, Sendable {
    /// Everyone may write to it.
    case writableByAll(mode: UInt32)
    /// Its owner lacks permissions.
    case closedToOwner(mode: UInt32)
    /// It belongs to `owner`, but the Maildir to `expected`.
    case foreign(owner: UInt32, expected: UInt32)
  }

  package let part: Part
  package let problem: Problem

  package init(_ part: Part, _ problem: Problem) {
    self.part = part
    self.problem = problem
  }

  /// Nil if nothing is wrong.
  ///
  /// - Parameter owner: the owner of the Maildir.
  init?(_ part: Part, _ status: FileStatus, owner: UInt32) {
    let needed: UInt32 = status.kind == .directory ? 0o700 : 0o600
    // Of two, the worse one: the mode in it shows the other.
    if status.owner != owner {
      self.init(part, .foreign(owner: status.owner, expected: owner))
    } else if status.permissions & 0o002 != 0 {
      self.init(part, .writableByAll(mode: status.permissions))
    } else if status.permissions & needed != needed {
      self.init(part, .closedToOwner(mode: status.permissions))
    } else {
      return nil
    }
  }

  /// For people.
  package var sentence: String {
    func octal(_ mode: UInt32) -> String { String(mode, radix: 8) }
    switch (part, problem) {
    case (.maildir, .writableByAll(let mode)): return "anyone can write to the Maildir, mode \(octal(mode))"
    case (.maildir, .closedToOwner(let mode)): return "the Maildir has mode \(octal(mode)), its owner needs rwx"
    case (_, .writableByAll(let mode)): return "anyone can write to \(part.rawValue), mode \(octal(mode))"
    case (_, .closedToOwner(let mode)): return "\(part.rawValue) has mode \(octal(mode)), its owner cannot use it"
    case (_, .foreign(let owner, let expected)):
      let (user, other) = (User.name(of: owner), User.name(of: expected))
      return "\(part.rawValue) belongs to \(user), not to \(other)"
    }
  }
}

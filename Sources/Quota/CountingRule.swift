// SPDX-License-Identifier: Apache-2.0

/// Which messages of a Maildir count.
package struct CountingRule: Equatable, Sendable {
  package var profile: CountingProfile
  /// The folders that are left out, by their exact names including the dot (`.Trash`).
  package var uncountedFolders: [[UInt8]]
  /// Whether folders below those (`.Trash.2024`) are left out, too.
  package var leavesOutSubfolders: Bool
  /// Whether messages with the flag T count.
  package var countsTrashed: Bool
  /// Whether messages without a size in their names count.
  package var countsUnsized = true
  /// Whether only `new/` and `cur/` of the Maildir itself count.
  package let inboxOnly: Bool

  package init(
    profile: CountingProfile = .common, uncountedFolders: [[UInt8]] = [], leavesOutSubfolders: Bool = false,
    inboxOnly: Bool = false
  ) {
    self.profile = profile
    self.uncountedFolders = uncountedFolders
    self.leavesOutSubfolders = leavesOutSubfolders
    self.inboxOnly = inboxOnly
    countsTrashed = profile.countsTrashed
  }

  /// Whether the folder with this name is left out.
  package func leavesOut(_ folder: [UInt8]) -> Bool {
    uncountedFolders.contains {
      folder == $0 || leavesOutSubfolders && folder.starts(with: $0 + [UInt8(ascii: ".")])
    }
  }
}

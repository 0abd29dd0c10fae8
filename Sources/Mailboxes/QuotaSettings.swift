// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Quota

extension Settings {
  /// Which limit holds.
  package var limitRule: LimitRule {
    LimitRule(fallback: mailboxLimit, messageSizeLimit: messageSizeLimit, overrides: limitOverrides)
  }

  /// Which messages count.
  package var countingRule: CountingRule {
    guard let profile = CountingProfile(rawValue: countProfile) else {
      preconditionFailure("a counting profile that Parameter allows and nobody knows")
    }
    return CountingRule(
      profile: profile, uncountedFolders: uncountedFolders, leavesOutSubfolders: leavesOutSubfolders,
      inboxOnly: limitsInboxOnly)
  }
}

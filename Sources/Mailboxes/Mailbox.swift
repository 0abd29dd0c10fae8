// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// A recipient's mailbox, as the tables describe it.
package struct Mailbox: Equatable, Sendable {
  /// The directories below the base that lead to the Maildir, at least one.
  package let components: [Path]
  package let quota: EffectiveLimit

  package init(components: [Path], quota: EffectiveLimit) {
    self.components = components
    self.quota = quota
  }
}

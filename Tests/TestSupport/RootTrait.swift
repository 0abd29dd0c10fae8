// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Testing

extension Trait where Self == ConditionTrait {
  /// For a test that mounts, changes owners or hides a part of the file system. scripts/test runs as root, so
  /// these always run there; `swift test` as another user reports them as skipped.
  package static var takesRoot: Self { .enabled(if: geteuid() == 0, "needs root: run scripts/test") }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

extension Trait where Self == ConditionTrait {
  /// For a test that mounts, changes owners or hides a part of the file system. scripts/test runs as root, so that
  /// these always run there; somebody else's `swift test` names what it left out.
  static var takesRoot: Self { .enabled(if: geteuid() == 0, "takes root: run scripts/test") }
}

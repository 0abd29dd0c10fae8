// SPDX-License-Identifier: Apache-2.0

/// What all programs of the package have in common.
package enum Ullage {
  package static let version = "0.1.0"
  package static let configurationFile = "/etc/ullage/ullage.cf"
}

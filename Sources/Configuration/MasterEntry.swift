// SPDX-License-Identifier: Apache-2.0

/// The parts of the entry in master.cf that are the same on every site. ullage-deliver(8) explains them.
package enum MasterEntry {
  /// Without D: with it pipe(8) bounces mail that has a Delivered-To of its recipient already. Without h and u: the
  /// address is folded where it is looked up, and Delivered-To keeps it as it is.
  package static let flags = "ORX"

  /// The arguments of `ullage-deliver` but for `--config=`.
  package static let arguments = [
    "--sender=${sender}", "--recipient=${recipient}", "--delivered-to=${recipient}", "--extension=${extension}",
    "--original-recipient=${original_recipient}", "--queue-id=${queue_id}", "--size=${size}",
  ]
}

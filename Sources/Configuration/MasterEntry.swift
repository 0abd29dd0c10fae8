// SPDX-License-Identifier: Apache-2.0

/// The parts of the entry in master.cf that are the same on every site. ullage-deliver(8) explains them.
package enum MasterEntry {
  /// Without D: with it pipe(8) bounces mail that has a Delivered-To of its recipient already. Without h and u: the
  /// address is folded where it is looked up, and Delivered-To keeps it as it is.
  package static let flags = "ORX"

  /// Where the package installs it.
  package static let program = "/usr/libexec/ullage/ullage-deliver"

  /// The whole entry after its name, as for `postconf -M`.
  package static func line(
    _ transport: String = "ullage", options: String = "", user: String, _ configurationFile: String
  ) -> String {
    let option =
      configurationFile == Ullage.configurationFile ? "" : " " + word("--config=\(configurationFile)")
    return
      "\(transport) unix - n n - 20 pipe \(options)flags=\(flags) user=\(user) null_sender= argv=\(program)\(option)"
      + " \(arguments.joined(separator: " "))"
  }

  /// A word of master.cf: with blanks it needs braces (master(5)).
  package static func word(_ text: String) -> String { text.contains(" ") ? "{ \(text) }" : text }

  /// The arguments of `ullage-deliver` but for `--config=`.
  package static let arguments = [
    "--sender=${sender}", "--recipient=${recipient}", "--delivered-to=${recipient}", "--extension=${extension}",
    "--original-recipient=${original_recipient}", "--queue-id=${queue_id}", "--size=${size}",
  ]
}

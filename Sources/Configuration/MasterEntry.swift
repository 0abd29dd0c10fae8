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

  /// The entry for the LMTP service, after its name, as for `postconf -M`. lmtp(8) does not start if an option comes
  /// after its flags.
  package static func lmtpLine(_ transport: String = lmtpTransport, options: String = "") -> String {
    let all = lmtpOptions.map { "-o \($0.name)=\($0.value) " }.joined()
    return "\(transport) unix - - n - - lmtp \(options)\(all)flags=\(flags)"
  }

  /// With its own limits and settings, as the entry `lmtp` of Postfix's is there for other servers, too. Not the name
  /// of the socket: master(8) makes one of the entry's name, and would replace the service's.
  package static let lmtpTransport = "ullage_lmtp"

  /// Relative to `queue_directory`, like the policy service's. The package's socket is there.
  package static let lmtpNexthop = "unix:private/ullage-lmtp"

  /// Without the first, longer lines are broken, and with them DKIM signatures; the second passes the queue ID for the
  /// log.
  package static let lmtpOptions: [(name: String, value: String)] = [
    ("lmtp_line_length_limit", "0"), ("lmtp_send_xforward_command", "yes"),
  ]

  /// The flags where a delivery may have several recipients: lmtp(8) then cannot write X-Original-To.
  package static let lmtpFlagsForSeveral = "RX"

  /// A word of master.cf: with blanks it needs braces (master(5)).
  package static func word(_ text: String) -> String { text.contains(" ") ? "{ \(text) }" : text }

  /// The arguments of `ullage-deliver` but for `--config=`.
  package static let arguments = [
    "--sender=${sender}", "--recipient=${recipient}", "--delivered-to=${recipient}", "--extension=${extension}",
    "--original-recipient=${original_recipient}", "--queue-id=${queue_id}", "--size=${size}",
  ]
}

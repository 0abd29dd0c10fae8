// SPDX-License-Identifier: Apache-2.0
import Configuration

/// The help and version texts. pipe(8) never gets them: printed text with exit status 0 would mean that the
/// message was delivered.
enum Manual {
  /// The answer to `--help` or `--version`, nil for any other command line.
  static func answer(to arguments: [[UInt8]]) -> String? {
    guard arguments.count == 1 else { return nil }
    if arguments[0].elementsEqual("--version".utf8) { return "ullage-deliver \(Ullage.version)\n" }
    return arguments[0].elementsEqual("--help".utf8) ? help : nil
  }

  private static let help = """
    usage: ullage-deliver [--config=FILE] --sender=ADDRESS --recipient=ADDRESS
                          [--delivered-to=ADDRESS] [--extension=TEXT]
                          [--original-recipient=ADDRESS] [--queue-id=ID] [--size=BYTES] < message

    Delivers one message into the recipient's Maildir and keeps the mailbox within its quota.
    It is started by Postfix's pipe(8); this is the entry for master.cf:

      ullage unix - n n - 20 pipe flags=ORX user=vmail null_sender=
        argv=/usr/libexec/ullage/ullage-deliver --sender=${sender} --recipient=${recipient}
        --delivered-to=${recipient} --extension=${extension}
        --original-recipient=${original_recipient} --queue-id=${queue_id} --size=${size}

    To try it by hand, as the mail user:

      /usr/libexec/ullage/ullage-deliver --config=/tmp/ullage.cf \\
        --sender=me@example.org --recipient=you@example.org < message; echo $?

    exit status: 0 delivered, 75 try again, 67 no such mailbox, 69 over quota for good.
    See ullage-deliver(8) and ullage.cf(5). What happened is in the mail log.

    """
}

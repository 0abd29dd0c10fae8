// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
import Site
import Sweep
import Tables
import Text

/// The mail in Postfix's queue that waits for mailboxes, and which of it may go now (`--retry-waiting`).
struct WaitingMail {
  /// The messages for each mailbox.
  private var messages: [[UInt8]: [MailQueue.Message]] = [:]
  /// The ids of those that have room.
  private var due: [String] = []

  /// Messages that are tried again in one call.
  private static let limit = 200

  init(_ settings: Settings) throws(MailQueue.Failure) {
    let tables = AddressTables(delimiters: settings.recipientDelimiter, TableSet())
    for message in try MailQueue().deferred {
      for recipient in message.recipients {
        for mailbox in tables.lookupKeys(of: recipient) { messages[mailbox, default: []].append(message) }
      }
    }
  }

  /// Notes a mailbox after its count.
  mutating func note(_ visit: Visit) {
    guard let usage = visit.report.repair?.counted else { return }
    var room = visit.row.limit.room(beside: usage)
    for message in messages.removeValue(forKey: foldCase(visit.row.address)) ?? [] where message.size <= room {
      room -= message.size
      due.append(message.id)
    }
  }

  /// Lets Postfix try those messages.
  ///
  /// - Returns: a sentence on how many there were, nil if there was none.
  func retry() throws(MailQueue.Failure) -> String? {
    var tried: Set<String> = []
    for id in due where tried.count < Self.limit && Interruption.received == 0 {
      if tried.insert(id).inserted { try MailQueue.retry(id) }
    }
    guard !tried.isEmpty else { return nil }
    let rest = Set(due).count - tried.count
    return "Postfix tries \(quantity(tried.count, "waiting message")) again"
      + (rest > 0 ? ", and \(grouped(rest)) more at its usual time" : "")
  }
}

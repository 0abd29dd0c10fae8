// SPDX-License-Identifier: Apache-2.0
import Posix

/// A mailbox on its way through the workers.
struct MailboxJob: Sendable {
  let row: MailboxRow
  var task: MailboxTask
  /// The user and group to work as; nil for our own.
  let owner: Credentials?
  /// The report, if it is known without a worker.
  let settledReport: MailboxReport?
  /// The position of its row in the list, nil without a list.
  var position: MailboxList.Position?

  init(_ row: MailboxRow, _ task: MailboxTask, owner: Credentials? = nil, settled: MailboxReport? = nil) {
    self.row = row
    self.task = task
    self.owner = owner
    settledReport = settled
  }
}

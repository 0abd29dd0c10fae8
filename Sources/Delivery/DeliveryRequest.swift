// SPDX-License-Identifier: Apache-2.0
import Configuration

/// What pipe(8) tells about a message on the command line. All of it is bytes that a sender may have chosen.
package struct DeliveryRequest: Equatable, Sendable {
  package var configurationFile = Array(Ullage.configurationFile.utf8)
  /// Empty for a bounce.
  package var sender: [UInt8] = []
  package var recipient: [UInt8] = []
  package var originalRecipient: [UInt8] = []
  package var queueID: [UInt8] = []
  /// Of the queue file, not of the message: it is logged and decides nothing.
  package var size: [UInt8] = []

  package init() {}

  /// Options in the form `--name=value` only: a value may be empty, begin with `-`, and hold any byte.
  ///
  /// An option given twice is an error: pipe(8) repeats `--recipient=` when it is told to deliver to several
  /// recipients at once, and one exit status cannot answer for all of them.
  ///
  /// Everything that can be read is kept for the log, also when something else is wrong.
  package mutating func parse(_ arguments: [[UInt8]]) throws(UsageError) {
    var seen: Set<String> = []
    var error: UsageError?
    for argument in arguments {
      let parts = argument.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let name = Self.options.first(where: { $0.key.utf8.elementsEqual(parts[0]) }) else {
        error = error ?? .unknownOption(Array(parts[0]))
        continue
      }
      guard seen.insert(name.key).inserted else {
        error = error ?? (name.key == "--recipient" ? .severalRecipients : .twice(name.key))
        continue
      }
      self[keyPath: name.value] = Array(parts[1])
    }
    if let error { throw error }
    for name in ["--sender", "--recipient"] where !seen.contains(name) { throw .missing(name) }
    guard !recipient.isEmpty else { throw .missing("--recipient") }
  }

  private static var options: [String: WritableKeyPath<DeliveryRequest, [UInt8]>] {
    [
      "--config": \.configurationFile, "--sender": \.sender, "--recipient": \.recipient,
      "--original-recipient": \.originalRecipient, "--queue-id": \.queueID, "--size": \.size,
    ]
  }
}

/// A command line that pipe(8) should not have run: a mistake in master.cf.
package enum UsageError: Error, Equatable, Sendable {
  case unknownOption([UInt8])
  case twice(String)
  case missing(String)
  case severalRecipients
}

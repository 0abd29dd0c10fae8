// SPDX-License-Identifier: Apache-2.0
import Text

/// What pipe(8) passes about a message on the command line: bytes that a sender may have chosen.
package struct DeliveryRequest: Equatable, Sendable {
  package var configurationFile = Array(Ullage.configurationFile.utf8)
  /// Empty for a bounce.
  package var sender: [UInt8] = []
  package var recipient: [UInt8] = []
  /// The extension of the recipient as Postfix splits it, empty without one; nil if the entry does not pass it.
  package var addressExtension: [UInt8]?
  /// The address for a Delivered-To line that this program writes; empty if pipe(8) writes it (its flag D).
  package var deliveredTo: [UInt8] = []
  package var originalRecipient: [UInt8] = []
  package var queueID: [UInt8] = []
  /// The size of the queue file, not of the message: it is logged and decides nothing.
  package var size: [UInt8] = []

  package init() {}

  /// Options have the form `--name=value` only. A value may be empty, begin with `-` and contain any byte.
  ///
  /// An option given twice is an error: pipe(8) repeats `--recipient=` when it delivers to several recipients
  /// at once, and one exit status cannot answer for all of them.
  ///
  /// Everything that can be parsed is kept for the log, even if something else is wrong.
  package mutating func parse(_ arguments: [[UInt8]]) throws(UsageError) {
    var seen: [Option] = []
    var error: UsageError?
    for argument in arguments {
      let parts = argument.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let option = Option.allCases.first(where: { $0.rawValue.utf8.elementsEqual(parts[0]) })
      else {
        error = error ?? .unknownOption(Array(parts[0]))
        continue
      }
      guard !seen.contains(option) else {
        error = error ?? (option == .recipient ? .severalRecipients : .twice(option.rawValue))
        continue
      }
      seen.append(option)
      set(option, to: Array(parts[1]))
    }
    if let error { throw error }
    for option in [Option.sender, .recipient] where !seen.contains(option) { throw .missing(option.rawValue) }
    guard !recipient.isEmpty else { throw .missing(Option.recipient.rawValue) }
  }

  private enum Option: String, CaseIterable {
    case configurationFile = "--config"
    case sender = "--sender"
    case recipient = "--recipient"
    case addressExtension = "--extension"
    case deliveredTo = "--delivered-to"
    case originalRecipient = "--original-recipient"
    case queueID = "--queue-id"
    case size = "--size"
  }

  private mutating func set(_ option: Option, to value: [UInt8]) {
    switch option {
    case .configurationFile: configurationFile = value
    case .sender: sender = value
    case .recipient: recipient = value
    case .addressExtension: addressExtension = value
    case .deliveredTo: deliveredTo = value
    case .originalRecipient: originalRecipient = value
    case .queueID: queueID = value
    case .size: size = value
    }
  }
}

/// A command line that pipe(8) should not have run: a mistake in master.cf.
package enum UsageError: ExplainedError, Equatable {
  case unknownOption([UInt8])
  case twice(String)
  case missing(String)
  case severalRecipients

  package var sentence: [UInt8] {
    switch self {
    case .unknownOption(let option): Array("unknown option ".utf8) + option + Array("; options are --name=value".utf8)
    case .twice(let option): Array("\(option) was given twice; check argv= in master.cf".utf8)
    case .missing(let option): Array("\(option)= is missing; check argv= in master.cf".utf8)
    case .severalRecipients:
      Array(
        "several recipients at once; run: postconf -e ullage_destination_recipient_limit=1 (with your transport's name)"
          .utf8)
    }
  }
}

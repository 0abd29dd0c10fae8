// SPDX-License-Identifier: Apache-2.0
package import Posix
import Quota
import Text

/// The mail log: one line on how a delivery ended, and one for each warning.
package struct DeliveryLog: Sendable {
  private let log: SystemLog

  package init(_ log: SystemLog) {
    self.log = log
  }

  /// The word for the outcome, in the style of Postfix's log lines.
  package enum Status: String, Sendable {
    case sent, refused, deferred
    case refusedOverQuota = "refused (over quota)"
    case deferredOverQuota = "deferred (over quota)"
    case refusedLarger = "refused (larger than the limit)"

    init(_ verdict: Verdict, _ answer: DeliveryAgent.Outcome.Answer) {
      switch verdict {
      case .delivered: self = .sent
      case .refused: self = answer == .largerThanLimit ? .refusedLarger : .refusedOverQuota
      case .deferred: self = .deferredOverQuota
      }
    }
  }

  /// - Parameters:
  ///   - fields: `name=value` pairs between the addresses and the status.
  ///   - warnings: sentences, each logged on its own line.
  package func write(
    _ verdict: Verdict, _ recipient: Recipient, _ status: Status, fields: [String] = [], warnings: [[UInt8]] = []
  ) {
    let id = recipient.queueID.isEmpty ? [] : escaped(recipient.queueID) + Array(": ".utf8)
    var line = id + Array("to=<".utf8) + escaped(recipient.address) + Array(">, ".utf8)
    if !recipient.originalAddress.isEmpty, recipient.originalAddress != recipient.address {
      line += Array("orig_to=<".utf8) + escaped(recipient.originalAddress) + Array(">, ".utf8)
    }
    if !recipient.queueSize.isEmpty {
      line += Array("queue_size=".utf8) + escaped(recipient.queueSize) + Array(", ".utf8)
    }
    let rest = fields + ["dsn=\(verdict.code.rawValue)", "status=\(status.rawValue)"]
    log.write(status == .sent ? .information : .warning, line + Array(rest.joined(separator: ", ").utf8))
    for warning in warnings { log.write(.warning, id + Array("warning: ".utf8) + warning) }
  }

  static func fields(_ outcome: DeliveryAgent.Outcome, _ limit: QuotaLimit) -> [String] {
    var fields: [String] = []
    // A message refused for its size is not read to the end.
    let sign = outcome.answer == .largerThanLimit ? ">=" : "="
    if let size = outcome.size { fields.append("size\(sign)\(size)") }
    if let usage = outcome.usage { fields.append("used=\(usage.bytes)") }
    fields.append("limit=\(limit.bytes)")
    if limit.messages > 0 {
      if let usage = outcome.usage { fields.append("messages=\(usage.messages)") }
      fields.append("message_limit=\(limit.messages)")
    }
    return fields
  }
}

// SPDX-License-Identifier: Apache-2.0
import Text

/// How the delivery to one recipient ended, in neutral terms: pipe(8) and LMTP each have their own.
package enum Verdict: Equatable, Sendable {
  case delivered
  /// Permanent. The text is for the sender.
  case refused(StatusCode, text: [UInt8])
  /// Temporary: the message is retried. The text is for the sender.
  case deferred(StatusCode, text: [UInt8])

  /// The enhanced status codes in use (RFC 3463). Only the two that begin with 5 are permanent.
  package enum StatusCode: String, Sendable, CaseIterable {
    case delivered = "2.0.0"
    case overQuota = "4.2.2"
    case systemProblem = "4.3.0"
    case storageFull = "4.3.1"
    case badConfiguration = "4.3.5"
    case noSuchMailbox = "5.1.1"
    case overQuotaForGood = "5.2.2"
  }

  package var code: StatusCode {
    switch self {
    case .delivered: .delivered
    case .refused(let code, _), .deferred(let code, _): code
    }
  }

  package static let noSuchMailbox = Verdict.refused(
    .noSuchMailbox, text: Array("The recipient has no mailbox here.".utf8))

  /// Over quota, with the configured text: VDA's prefix, then at most 400 bytes without control characters.
  package static func overQuota(_ text: [UInt8], isPermanent: Bool) -> Verdict {
    let text = Array("maildir delivery failed: ".utf8) + singleLine(text)
    return isPermanent ? .refused(.overQuotaForGood, text: text) : .deferred(.overQuota, text: text)
  }

  /// For errors: one fixed sentence for each code, without paths, hosts or SQL.
  package static func trouble(_ code: StatusCode) -> Verdict {
    let text =
      switch code {
      case .storageFull: "The mail system has no room for the message at the moment."
      case .badConfiguration: "The mail system is not configured correctly."
      default: "The mail system has a temporary problem."
      }
    return .deferred(code, text: Array(text.utf8))
  }
}

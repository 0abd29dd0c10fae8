// SPDX-License-Identifier: Apache-2.0

/// How a delivery ended, in the words of pipe(8). The only place that knows exit statuses and status codes.
package enum Disposition: Equatable, Sendable {
  case delivered
  case overQuota(text: [UInt8], isPermanent: Bool)
  case noSuchMailbox
  case deferred(Deferral)

  /// Why the message is to be tried again.
  package enum Deferral: String, Sendable {
    case systemProblem = "4.3.0"
    case storageFull = "4.3.1"
    case badConfiguration = "4.3.5"
  }

  /// Any other status than these bounces the message (sysexits.h, pipe(8)).
  package var exitStatus: Int32 {
    switch self {
    case .delivered: 0
    case .overQuota(_, isPermanent: true): 69  // EX_UNAVAILABLE
    case .noSuchMailbox: 67  // EX_NOUSER
    case .overQuota(_, isPermanent: false), .deferred: 75  // EX_TEMPFAIL
    }
  }

  /// The enhanced status code (RFC 3463).
  package var statusCode: String {
    switch self {
    case .delivered: "2.0.0"
    case .overQuota(_, let isPermanent): isPermanent ? "5.2.2" : "4.2.2"
    case .noSuchMailbox: "5.1.1"
    case .deferred(let deferral): deferral.rawValue
    }
  }

  /// What the sender may read: nothing of paths, hosts or SQL. Empty on success, where it would go into
  /// the DSN; without a line end, which pipe(8) would turn into a blank.
  package var output: [UInt8] {
    switch self {
    case .delivered: []
    case .overQuota(let text, _):
      Array("\(statusCode) maildir delivery failed: ".utf8) + Self.masked(text)
    case .noSuchMailbox: Array("5.1.1 The recipient has no mailbox here.".utf8)
    case .deferred(.systemProblem): Array("4.3.0 The mail system has a temporary problem.".utf8)
    case .deferred(.storageFull): Array("4.3.1 The mail system has no room for the message at the moment.".utf8)
    case .deferred(.badConfiguration): Array("4.3.5 The mail system is not configured correctly.".utf8)
    }
  }

  /// The administrator's text without control characters, at most 400 bytes, never cut within a character.
  private static func masked(_ text: [UInt8]) -> [UInt8] {
    var text = text
    if text.count > 400 {
      // A byte 10xxxxxx continues a character (RFC 3629 §3).
      var end = 400
      while end > 396, text[end] & 0xC0 == 0x80 { end -= 1 }
      text.removeSubrange(end...)
    }
    return text.map { $0 < 32 || $0 == 127 ? UInt8(ascii: "?") : $0 }
  }
}

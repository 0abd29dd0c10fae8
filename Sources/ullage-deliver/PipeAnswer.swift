// SPDX-License-Identifier: Apache-2.0
import Delivery

/// A verdict in the terms of pipe(8). The only place that knows exit statuses.
struct PipeAnswer {
  /// Any status other than these bounces the message (sysexits.h, pipe(8)).
  let exitStatus: Int32
  /// What the sender may read, beginning with the status code. Empty on success, because it would end up in
  /// the DSN. It has no line end, which pipe(8) would turn into a blank.
  let output: [UInt8]

  static let temporaryFailure: Int32 = 75  // EX_TEMPFAIL

  init(_ verdict: Verdict) {
    switch verdict {
    case .delivered:
      exitStatus = 0
      output = []
    case .refused(let code, let text):
      exitStatus = code == .noSuchMailbox ? 67 : 69  // EX_NOUSER, EX_UNAVAILABLE
      output = Self.line(code, text)
    case .deferred(let code, let text):
      exitStatus = Self.temporaryFailure
      output = Self.line(code, text)
    }
  }

  private static func line(_ code: Verdict.StatusCode, _ text: [UInt8]) -> [UInt8] {
    Array("\(code.rawValue) ".utf8) + text
  }
}

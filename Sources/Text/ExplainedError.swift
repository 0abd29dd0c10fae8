// SPDX-License-Identifier: Apache-2.0

/// An error that says in one sentence what happened and, where it can, what to do about it.
///
/// The sentence goes to the log or to the administrator, never to a sender. It holds no password and no message text,
/// but it may hold names from outside, and so any byte.
package protocol ExplainedError: Error {
  var sentence: [UInt8] { get }
}

extension ExplainedError {
  /// The sentence for a terminal or a report, control characters escaped.
  package var shown: String { displayText(sentence) }
}

// SPDX-License-Identifier: Apache-2.0
import Aliases
import Configuration
import Mailboxes
import Policy
import PolicyServer
import Posix
import Quota
import Text

/// An explanation for programs.
struct ExplanationRecord: Encodable {
  let recipient: String
  let size: Int64
  /// `pass` or `refuse`.
  let decision: String
  /// The reply without its text; nil if it passes.
  let code: String?
  let text: String?
  let reason: String
  let steps: [Step]
  let targets: [Target]

  struct Step: Encodable {
    let address: String
    let parameter: String?
    let key: String?
    let table: String?
    let value: String?
    let results: [String]

    init(_ step: AliasExpansion.Step) {
      address = displayText(step.address)
      parameter = step.parameter?.rawValue
      key = step.row.map { _ in displayText(step.key) }
      table = step.row?.table?.text
      value = step.row.map { displayText($0.value) }
      results = step.results.map { displayText($0) }
    }
  }

  struct Target: Encodable {
    let address: String
    let state: String
    let maildir: String?
    let limit_bytes: Int64?
    let limit_messages: Int64?
    let used_bytes: Int64?
    let used_messages: Int64?
    /// Seconds since the messages were counted.
    let age: Int64?

    init(_ target: Judgement.Target, now: Timestamp) {
      address = displayText(target.address)
      state = target.state.name
      maildir = target.path?.text
      limit_bytes = target.mailbox?.quota.limit.bytes
      limit_messages = target.mailbox?.quota.limit.messages
      used_bytes = target.state.usage?.bytes
      used_messages = target.state.usage?.messages
      if case .full(_, let counted) = target.state { age = max(0, now.seconds - counted.seconds) } else { age = nil }
    }
  }

  init(_ explanation: Explanation, now: Timestamp) {
    let judgement = explanation.judgement
    recipient = displayText(judgement.recipient)
    size = explanation.size
    if case .refuse(let code, let text) = explanation.answer {
      (decision, self.code, self.text) = ("refuse", code.rawValue, displayText(singleLine(text)))
    } else {
      (decision, code, text) = ("pass", nil, nil)
    }
    reason = explanation.reason
    steps = judgement.expansion.steps.map(Step.init)
    targets = judgement.targets.map { Target($0, now: now) }
  }
}

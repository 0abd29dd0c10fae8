// SPDX-License-Identifier: Apache-2.0
import Aliases
import Configuration
import Mailboxes
package import Policy
package import PolicyServer
package import Posix
import Quota
import Text

/// A decision about a recipient, and everything that led to it (`ullage explain`).
package struct Explanation {
  let judgement: Judgement
  let answer: PolicyAnswer
  /// Bytes, zero if unknown.
  let size: Int64
  /// Whether some clients or senders are never refused.
  let hasExemptions: Bool

  package init(_ judgement: Judgement, _ answer: PolicyAnswer, size: Int64, hasExemptions: Bool) {
    self.judgement = judgement
    self.answer = answer
    self.size = size
    self.hasExemptions = hasExemptions
  }

  /// Why it is so, in a sentence.
  var reason: String {
    if case .failure(let failure) = judgement.expansion.result { return "\(failure.shown)." }
    let counted = judgement.targets.filter { $0.ruling != .uncounted }
    guard case .pass = answer else {
      if counted.count == 1 { return "The only mailbox that it would go to is full, or too small for it." }
      return counted.allSatisfy { $0.ruling != .other }
        ? "All \(counted.count) mailboxes that it would go to are full, or too small for it."
        : "At least one mailbox that it would go to is full, or too small for it, and policy_rule is any."
    }
    guard let target = counted.first(where: { $0.ruling == .other }) else {
      return "It would go to no mailbox of ours."
    }
    let name = displayText(target.address)
    let full = counted.filter { $0.ruling != .other }.count
    let rest = full == 0 ? "" : " For the full \(full == 1 ? "mailbox" : "ones") it is deferred or bounced at delivery."
    return "\(name): \(target.state.phrase).\(rest)"
  }
}

/// Writes an explanation, for people and as JSON.
package struct JudgementPrinter {
  private let output: Output
  private let style: TerminalStyle
  private let now: Timestamp

  package init(to output: Output, style: TerminalStyle, now: Timestamp) {
    self.output = output
    self.style = style
    self.now = now
  }

  package func write(_ explanation: Explanation) throws {
    let judgement = explanation.judgement
    let size = explanation.size > 0 ? ", a message of \(Self.bytes(explanation.size))" : ""
    try output.write("\(style(displayText(judgement.recipient), .bold))\(size)\n")
    for step in judgement.expansion.steps { try write(step) }
    for target in judgement.targets { try write(target) }
    try output.write("\n")
    switch explanation.answer {
    case .pass: try output.write("\(style("Not refused", .green)) (DUNNO: the next restriction decides)\n")
    case .refuse(let code, let text):
      try output.write("\(style("Refused", .red)): \(code.rawValue) \(displayText(singleLine(text)))\n")
    }
    try writeParagraph(explanation.reason)
    if case .refuse = explanation.answer, explanation.hasExemptions {
      try writeParagraph("Clients in policy_exempt_clients and senders in policy_exempt_senders are not refused.")
    }
    try output.flush()
  }

  private func writeParagraph(_ text: String) throws {
    for line in wrapped(text, width: 78) { try output.write("\(line)\n") }
  }

  private func write(_ step: AliasExpansion.Step) throws {
    let results = step.results.map { displayText($0) }.joined(separator: ", ")
    try output.write("  \(displayText(step.address)) -> \(results)\n")
    guard let parameter = step.parameter, let row = step.row else {
      return try output.write(style("      completed, as trivial-rewrite(8) does it\n", .dim))
    }
    let place = row.table.map { " in \($0.text)" } ?? " by the lookup service"
    let value = "\(parameter.rawValue): \(displayText(step.key))\(place) is \"\(displayText(row.value))\""
    try output.write(style("      \(value)\n", .dim))
  }

  private func write(_ target: Judgement.Target) throws {
    try output.write("\n  \(style(displayText(target.address), .bold))\n")
    func line(_ name: String, _ text: String, _ colour: TerminalStyle.Colour? = nil) throws {
      try output.write("    \(name.padding(to: 9)) \(style(text, colour))\n")
    }
    if let path = target.path { try line("Maildir", path.text) }
    if let quota = target.mailbox?.quota { try line("limit", quota.text) }
    if let usage = target.state.usage { try line("used", text(usage, target.state)) }
    let colour: TerminalStyle.Colour? =
      switch target.ruling {
      case .tooSmall, .full: .red
      case .other: .green
      case .uncounted: .dim
      }
    try line("verdict", target.state.phrase, colour)
  }

  private func text(_ usage: QuotaUsage, _ state: Judgement.State) -> String {
    var text = "\(Self.bytes(usage.bytes)) in \(quantity(usage.messages, "message"))"
    switch state {
    case .full(_, let counted): text += ", counted \(max(0, now.seconds - counted.seconds)) s ago"
    case .fullByEstimate, .fullByOldEstimate: text += ", by policy_usage_maps"
    default: break
    }
    return text
  }

  private static func bytes(_ number: Int64) -> String {
    number < 1024 ? quantity(number, "byte") : "\(ByteSize.text(number)) (\(grouped(number)) bytes)"
  }

  /// One object (RFC 8259).
  package func writeJSON(_ explanation: Explanation) throws {
    try output.writeJSON(ExplanationRecord(explanation, now: now))
    try output.write("\n")
    try output.flush()
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

extension EffectiveLimit {
  fileprivate var text: String {
    var parts = limit.bytes > 0 ? ["\(ByteSize.text(limit.bytes)) (\(grouped(limit.bytes)) bytes)"] : []
    if limit.messages > 0 { parts.append(quantity(limit.messages, "message")) }
    let source =
      switch source {
      case .own: "from virtual_mailbox_limit_maps"
      case .fallback: "from virtual_mailbox_limit"
      case .setAside(let own):
        "from virtual_mailbox_limit: its own, \(grouped(own)) bytes, is below message_size_limit"
      case .given, .unreadable: "of unknown origin"
      }
    return "\(parts.isEmpty ? "none" : parts.joined(separator: ", ")), \(source)"
  }
}

extension Judgement.State {
  /// What is known of a target, for the administrator.
  var phrase: String {
    switch self {
    case .leftOut: "does not count: its domain is in policy_uncounted_domains"
    case .sameMailbox: "does not count: it is the mailbox of a target above"
    case .local: "not a mailbox of ours: its domain is in mydestination"
    case .elsewhere: "not a mailbox of ours: its domain is not in virtual_mailbox_domains"
    case .noMailbox: "no such mailbox: virtual_mailbox_maps do not have it"
    case .unlimited: "it has no limit"
    case .noMaildir: "there is no Maildir, so it cannot be full here"
    case .room: "it has room"
    case .tooSmall: "the message is larger than its whole limit"
    case .full: "it is full"
    case .fullByEstimate: "it is full by an estimate, which never refuses for good"
    case .fullByOldEstimate:
      "it is full by a figure that is old or has no time; see policy_usage_is_live in ullage.cf(5)"
    case .uncounted:
      "it may be full, but its messages could not be counted in time; see policy_recount_time in ullage.cf(5)"
    case .foreign(let user): "not a mailbox of ours: it belongs to \(User.name(of: user))"
    case .trouble(let text): "unknown: \(displayText(text))"
    }
  }

  /// For programs.
  var name: String {
    switch self {
    case .leftOut: "uncounted-domain"
    case .sameMailbox: "same-mailbox"
    case .local: "local"
    case .elsewhere: "elsewhere"
    case .noMailbox: "no-mailbox"
    case .unlimited: "unlimited"
    case .noMaildir: "no-maildir"
    case .room: "room"
    case .tooSmall: "too-small"
    case .full: "full"
    case .fullByEstimate: "full-by-estimate"
    case .fullByOldEstimate: "full-by-old-estimate"
    case .uncounted: "not-counted"
    case .foreign: "foreign"
    case .trouble: "unknown"
    }
  }

  var usage: QuotaUsage? {
    switch self {
    case .full(let usage, _), .fullByEstimate(let usage), .fullByOldEstimate(let usage): usage
    case .room(let usage): usage
    default: nil
    }
  }
}

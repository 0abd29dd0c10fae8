// SPDX-License-Identifier: Apache-2.0
import Mailboxes
import Policy
import Posix
import Quota
import Text

/// The log line for a refusal, in the style of Postfix's.
enum RefusalLine {
  static func text(_ request: PolicyRequest, _ judgements: [Judgement], _ code: PolicyAnswer.Code) -> [UInt8] {
    let recipient = judgements.first?.recipient ?? []
    var line = escaped(request.instance) + Array(": to=<".utf8) + address(recipient) + Array(">".utf8)
    if judgements.count > 1 { line += Array(" and \(quantity(judgements.count - 1, "other"))".utf8) }
    if let target = judgements.lazy.compactMap({ $0.firstRefusing }).first {
      line += Array(", target=<".utf8) + address(target.address) + Array(">".utf8)
      line += Array(fields(of: target).map { ", \($0)" }.joined().utf8)
    }
    let size = request.size > 0 ? ["size=\(request.size)"] : []
    let rest = size + ["from=<\(address(request.sender).text)>", "client=\(escaped(request.clientAddress).text)"]
    line += Array((rest + ["dsn=\(code.rawValue.suffix(5))", "status=refused"]).map { ", \($0)" }.joined().utf8)
    return line
  }

  /// Blanks and brackets would end the field for whoever reads the log.
  private static func address(_ bytes: [UInt8]) -> [UInt8] {
    escaped(bytes).flatMap { byte in
      "<> ".utf8.contains(byte) ? [UInt8(ascii: "\\"), 48, 48 + (byte >> 3 & 7), 48 + (byte & 7)] : [byte]
    }
  }

  private static func fields(of target: Judgement.Target) -> [String] {
    let limit = target.mailbox?.quota.limit ?? .none
    var fields: [String] = []
    var age: String?
    switch target.state {
    case .full(let usage, let counted):
      fields = usageFields(usage, limit)
      age = "age=\(max(0, Timestamp.now.seconds - counted.seconds))s"
    case .fullByEstimate(let usage): fields = usageFields(usage, limit) + ["source=sql"]
    default: break
    }
    fields.append("limit=\(limit.bytes)")
    if limit.messages > 0 { fields.append("message_limit=\(limit.messages)") }
    return fields + [age].compactMap { $0 }
  }

  private static func usageFields(_ usage: QuotaUsage, _ limit: QuotaLimit) -> [String] {
    ["used=\(usage.bytes)"] + (limit.messages > 0 ? ["messages=\(usage.messages)"] : [])
  }
}

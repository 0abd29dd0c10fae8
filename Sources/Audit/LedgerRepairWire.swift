// SPDX-License-Identifier: Apache-2.0
package import Maildir
import Quota

extension RepairResult: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(before)
    wire.write(fault?.rawValue)
    wire.write(counted)
    wire.write(after)
    wire.write(action.rawValue)
    wire.write(cause)
  }

  init(from wire: inout WireReader) {
    let before = wire.optional(QuotaUsage.self)
    let fault = wire.optional(String.self).flatMap { LedgerFault(rawValue: $0) }
    let counted = wire.value(QuotaUsage.self)
    let after = wire.optional(QuotaUsage.self)
    guard let action = Action(rawValue: wire.string()) else { preconditionFailure("unknown action") }
    self.init(
      before: before, fault: fault, counted: counted, after: after, action: action,
      cause: wire.optional(DriftCause.self))
  }
}

extension DriftCause: WireValue {
  func write(to wire: inout WireWriter) {
    switch self {
    case .profile(let profile): wire.write(profile.rawValue)
    case .damaged(let fault): wire.write("damaged " + fault.rawValue)
    case .trashedMessages: wire.write("trashed")
    case .trash: wire.write("trash")
    case .replaced: wire.write("replaced")
    case .unknown: wire.write("unknown")
    }
  }

  init(from wire: inout WireReader) {
    let text = wire.string()
    switch text {
    case "trashed": self = .trashedMessages
    case "trash": self = .trash
    case "replaced": self = .replaced
    default:
      if let profile = CountingProfile(rawValue: text) {
        self = .profile(profile)
      } else if let fault = LedgerFault(rawValue: String(text.dropFirst("damaged ".count))) {
        self = .damaged(fault)
      } else {
        self = .unknown
      }
    }
  }
}

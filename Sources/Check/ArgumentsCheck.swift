// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// What pipe(8) does to a message, and what it passes to `ullage-deliver`.
struct ArgumentsCheck {
  private let entry: Entry
  /// The arguments as `ullage-deliver` parses them, and what it finds wrong.
  private var request = DeliveryRequest()
  private let usageError: UsageError?
  private var found = FindingList(.postfix)

  init(_ entry: Entry) {
    self.entry = entry
    do throws(UsageError) {
      try request.parse(entry.service.program.dropFirst().map { Array(Self.normal($0).utf8) })
      usageError = nil
    } catch { usageError = error }
  }

  func findings() -> [Finding] {
    var check = self
    check.checkFlags()
    check.checkArguments()
    return check.found.findings
  }

  private mutating func checkFlags() {
    let flags = Set(entry.service.attributes["flags"] ?? "")
    let harmful: [(Character, String)] = [
      ("F", "puts a line \"From …\" in front of each message"), ("B", "adds an empty line to each message"),
      (".", "doubles dots at the start of lines"), (">", "writes > in front of lines that begin with From"),
      ("q", "quotes addresses, so that those with blanks are not found"),
    ]
    let wanted: [(Character, String, Finding.Severity)] = [
      ("R", "without it there is no Return-Path: in a message", .error),
      ("O", "without it there is no X-Original-To:", .warning),
      ("X", "without it a notification says \"relayed\" where it should say \"delivered\"", .warning),
    ]
    for (flag, effect) in harmful where flags.contains(flag) {
      found.add(
        .error, .flags, "flags= has \(flag), which \(effect)", at: entry.place,
        reason: "messages must arrive as they were sent", remedy: entry.correction)
    }
    for (flag, reason, severity) in wanted where !flags.contains(flag) {
      found.add(severity, .flags, "flags= lacks \(flag)", at: entry.place, reason: reason, remedy: entry.correction)
    }
    if flags.contains("D") {
      found.add(
        .warning, .flags, "flags= has D, which also bounces each message that has a Delivered-To: of its recipient",
        at: entry.place,
        reason: "resent and fetched mail has one, and virtual(8) delivers it; ullage-deliver writes the header itself",
        remedy: entry.correction)
    } else if usageError == nil, request.deliveredTo.isEmpty {
      found.add(
        .warning, .arguments, "--delivered-to is not given", at: entry.place,
        reason: "messages get no Delivered-To:, which programs that filter or answer mail look for",
        remedy: entry.correction)
    }
    if entry.service.attributes["null_sender"] != "" {
      found.add(
        .warning, .nullSender, "null_sender= is missing or not empty", at: entry.place,
        reason: "bounces arrive with a sender, MAILER-DAEMON, and out-of-office programs answer them",
        remedy: entry.correction)
    }
  }

  private mutating func checkArguments() {
    if let usageError {
      found.add(
        .error, .arguments, "the arguments are wrong: \(usageError.shown)", at: entry.place,
        reason: "every message is deferred", remedy: entry.correction)
    }
    // Of a command line that is not parsed to its end, what is missing is unknown.
    if usageError == nil { checkForgotten() }
    checkValues()
  }

  private mutating func checkForgotten() {
    let forgotten = [
      ("--original-recipient", request.originalRecipient), ("--queue-id", request.queueID), ("--size", request.size),
    ].filter { $0.1.isEmpty }.map(\.0)
    if !forgotten.isEmpty {
      found.add(
        .warning, .arguments, "\(forgotten.joined(separator: ", ")) \(forgotten.count == 1 ? "is" : "are") not given",
        at: entry.place,
        reason: "the log then lacks them, and its lines are hard to match with Postfix's",
        remedy: entry.correction)
    }
    if request.addressExtension == nil {
      found.add(
        .warning, .arguments, "--extension is not given", at: entry.place,
        reason: "it tells an address that recipient_delimiter does not split from an unknown one, which is refused",
        remedy: entry.correction)
    }
  }

  private mutating func checkValues() {
    let expected: [(String, [UInt8], String, severity: Finding.Severity, reason: String)] = [
      ("recipient", request.recipient, "${recipient}", .error, "mail goes to the wrong mailbox or to none"),
      ("sender", request.sender, "${sender}", .error, "it is not the envelope sender"),
      ("delivered-to", request.deliveredTo, "${recipient}", .warning, "Delivered-To: does not name the recipient"),
      ("extension", request.addressExtension ?? [], "${extension}", .warning, "mail may wait for no reason"),
    ]
    for (name, given, macro, severity, reason) in expected where !given.isEmpty && given.text != macro {
      found.add(
        severity, .arguments, "--\(name) is \(given.text), not \(macro)", at: entry.place, reason: reason,
        remedy: entry.correction)
    }
    if usageError == nil, request.configurationFile != Array(entry.site.configurationFile.utf8) {
      found.add(
        .warning, .arguments,
        "the entry reads \(request.configurationFile.text), but this check \(entry.site.configurationFile)",
        at: entry.place, reason: "the findings here may not apply to deliveries",
        remedy: .run(entry.postfix.check(request.configurationFile.text, isOther: true)))
    }
  }

  /// `$name` and `$(name)` are `${name}` to pipe(8).
  private static func normal(_ argument: String) -> String {
    argument.replacing(#/\$(?:\(([A-Za-z0-9_]+)\)|([A-Za-z0-9_]+))/#) { "${\($0.1 ?? $0.2 ?? "")}" }
  }
}

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// What pipe(8) does to a message, and what it passes to `ullage-deliver`.
struct ArgumentsCheck {
  private let entry: Entry
  private var found = FindingList(.postfix)

  init(_ entry: Entry) {
    self.entry = entry
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
      ("D", "without it there is no Delivered-To:, and mail can loop", .warning),
      ("O", "without it there is no X-Original-To:", .warning),
      ("X", "without it a notification says \"relayed\" where it should say \"delivered\"", .warning),
      ("h", "without it the domain is passed as the sender wrote it, and the queue is not ordered by it", .notice),
      ("u", "without it the user name is passed as the sender wrote it", .notice),
    ]
    let missing = wanted.filter { !flags.contains($0.0) }
    // One command fixes all of it.
    let right = (entry.service.attributes["flags"] ?? "").filter { flag in !harmful.contains { $0.0 == flag } }
    let remedy = entry.set("flags", right + missing.map { String($0.0) }.joined())
    for (flag, effect) in harmful where flags.contains(flag) {
      found.add(
        .error, .flags, "flags= has \(flag), which \(effect)", at: entry.place,
        reason: "messages must arrive as they were sent", remedy: remedy)
    }
    for (flag, reason, severity) in missing {
      found.add(severity, .flags, "flags= lacks \(flag)", at: entry.place, reason: reason, remedy: remedy)
    }
    if entry.service.attributes["null_sender"] != "" {
      found.add(
        .warning, .nullSender, "null_sender= is missing or not empty", at: entry.place,
        reason: "bounces arrive with a sender, MAILER-DAEMON, and out-of-office programs answer them",
        remedy: entry.set("null_sender", ""))
    }
  }

  /// The arguments are parsed as `ullage-deliver` parses them.
  private mutating func checkArguments() {
    var request = DeliveryRequest()
    do {
      try request.parse(entry.service.program.dropFirst().map { Array(Self.normal($0).utf8) })
    } catch {
      found.add(
        .error, .arguments, "the arguments are wrong: \(error.shown)", at: entry.place,
        reason: "every message is deferred",
        remedy: correction(request))
    }
    let forgotten = [
      ("--original-recipient", request.originalRecipient), ("--queue-id", request.queueID), ("--size", request.size),
    ].filter { $0.1.isEmpty }.map(\.0)
    if !forgotten.isEmpty {
      found.add(
        .notice, .arguments, "\(forgotten.joined(separator: ", ")) \(forgotten.count == 1 ? "is" : "are") not given",
        at: entry.place,
        reason: "the log then lacks them, and its lines are hard to match with Postfix's",
        remedy: correction(request))
    }
    let expected: [(String, [UInt8], [UInt8])] = [
      ("recipient", request.recipient, Array("${recipient}".utf8)), ("sender", request.sender, Array("${sender}".utf8)),
    ]
    for (name, given, macro) in expected where !given.isEmpty && given != macro {
      found.add(
        .error, .arguments, "--\(name) is \(given.text), not \(macro.text)", at: entry.place,
        reason: name == "recipient" ? "mail goes to the wrong mailbox or to none" : "it is not the envelope sender",
        remedy: correction(request))
    }
    if request.configurationFile != Array(entry.site.configurationFile.utf8) {
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

  private func correction(_ request: DeliveryRequest) -> Remedy {
    entry.setCommand(entry.service.commandLine(running: rightProgram(request)))
  }

  /// The program with the arguments that the manual gives.
  private func rightProgram(_ request: DeliveryRequest) -> [String] {
    let file = request.configurationFile.text
    return [entry.service.program[0]] + (file == Ullage.configurationFile ? [] : ["--config=\(file)"]) + [
      "--sender=${sender}", "--recipient=${recipient}", "--original-recipient=${original_recipient}",
      "--queue-id=${queue_id}", "--size=${size}",
    ]
  }
}

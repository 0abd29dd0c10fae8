// SPDX-License-Identifier: Apache-2.0
import Configuration
import Delivery
import Posix
import Postfix
import Reports
import Text

/// An entry of master.cf that runs `ullage-deliver` through pipe(8).
struct EntryCheck {
  let postfix: PostfixDirectory
  let entry: MasterService
  let settings: Settings?
  let configurationFile: String
  /// How many connections the queried databases leave us, nil if unknown.
  let connections: Int64?

  static func entries(in postfix: PostfixDirectory) -> [MasterService] {
    postfix.master.services(running: "pipe").filter {
      $0.program.first?.split(separator: "/").last == "ullage-deliver"
    }
  }

  /// The ullage.cf that an entry reads.
  static func configurationFile(of entry: MasterService) -> String {
    var request = DeliveryRequest()
    // Errors in the other arguments are reported later.
    try? request.parse(entry.program.dropFirst().map { Array($0.utf8) })
    return request.configurationFile.text
  }

  func run(_ report: inout CheckReport) {
    checkRecipientLimit(&report)
    checkFlags(&report)
    checkFields(&report)
    checkUser(&report)
    checkArguments(&report)
    checkProgram(&report)
    checkProcesses(&report)
    checkTime(&report)
    checkSoftBounce(&report)
  }

  private var place: String { "\(postfix.path)/master.cf, line \(entry.line)" }
  private var reload: String { "postfix\(postfix.option) reload" }

  private func value(_ name: String) -> String { (try? postfix.value(of: name, for: entry)) ?? "" }

  private func checkRecipientLimit(_ report: inout CheckReport) {
    let name = "\(entry.name)_destination_recipient_limit"
    // qmgr(8) reads it from main.cf; this entry's -o has no effect on it.
    let limit = (try? postfix.value(of: name)) ?? (try? postfix.value(of: "default_destination_recipient_limit"))
    guard limit == "1" else {
      return report.add(
        .error, .recipientLimit, "\(name) is not 1", at: "\(postfix.path)/main.cf",
        reason: "pipe(8) would give a message for several mailboxes to one process, which defers it",
        remedy: "postconf\(postfix.option) -e \(name)=1 && \(reload)")
    }
  }

  private func checkFlags(_ report: inout CheckReport) {
    let flags = Set(entry.attributes["flags"] ?? "")
    let harmful: [(Character, String)] = [
      ("F", "puts a line \"From …\" in front of each message"), ("B", "adds an empty line to each message"),
      (".", "doubles dots at the start of lines"), (">", "writes > in front of lines that begin with From"),
      ("q", "quotes addresses, so that those with blanks are not found"),
    ]
    let wanted: [(Character, String, Diagnosis.Severity)] = [
      ("R", "without it there is no Return-Path: in a message", .error),
      ("D", "without it there is no Delivered-To:, and mail can loop", .warning),
      ("O", "without it there is no X-Original-To:", .warning),
      ("X", "without it a notification says \"relayed\" where it should say \"delivered\"", .warning),
      ("h", "without it the domain is passed as the sender wrote it, and the queue is not ordered by it", .notice),
      ("u", "without it the user name is passed as the sender wrote it", .notice),
    ]
    let missing = wanted.filter { !flags.contains($0.0) }
    // One command fixes all of it.
    let right = (entry.attributes["flags"] ?? "").filter { flag in !harmful.contains { $0.0 == flag } }
    let remedy = setAttribute("flags", right + missing.map { String($0.0) }.joined())
    for (flag, effect) in harmful where flags.contains(flag) {
      report.add(
        .error, .flags, "flags= has \(flag), which \(effect)", at: place,
        reason: "messages must arrive as they were sent", remedy: remedy)
    }
    for (flag, reason, severity) in missing {
      report.add(severity, .flags, "flags= lacks \(flag)", at: place, reason: reason, remedy: remedy)
    }
    if entry.attributes["null_sender"] != "" {
      report.add(
        .warning, .nullSender, "null_sender= is missing or not empty", at: place,
        reason: "bounces arrive with a sender, MAILER-DAEMON, and out-of-office programs answer them",
        remedy: setAttribute("null_sender", ""))
    }
  }

  private func setAttribute(_ name: String, _ value: String) -> String {
    setCommand(entry.commandLine(setting: name, to: value))
  }

  private func setCommand(_ line: String) -> String {
    "postconf\(postfix.option) -F \(shellWord("\(entry.name)/\(entry.type)/command=\(line)")) && \(reload)"
  }

  private func checkFields(_ report: inout CheckReport) {
    // Before compatibility level 1, and before Postfix 3.0, `-` means y.
    let level = ((try? postfix.value(of: "compatibility_level")) ?? "0").split(separator: ".").first.flatMap {
      Int64($0)
    }
    if entry.isChrooted ?? ((level ?? 1) < 1) {
      report.add(
        .error, .entryFields, "the entry runs in a chroot", at: place,
        reason: "pipe(8) finds neither the program nor the Maildirs there",
        remedy: "postconf\(postfix.option) -F \(entry.name)/unix/chroot=n && \(reload)")
    }
    if entry.isUnprivileged {
      report.add(
        .error, .entryFields, "the entry is unprivileged", at: place,
        reason: "pipe(8) must start with root's rights to become the mail user",
        remedy: "postconf\(postfix.option) -F \(entry.name)/unix/unprivileged=n && \(reload)")
    }
  }

  private func checkUser(_ report: inout CheckReport) {
    let name = entry.attributes["user"] ?? ""
    func bad(_ finding: String, _ reason: String) {
      report.add(
        .error, .mailUser, finding, at: place,
        reason: "\(reason). It must be the user who owns the Maildirs, such as vmail",
        remedy: setAttribute("user", "vmail"))
    }
    guard !name.isEmpty else { return bad("user= is missing", "pipe(8) does not start without it") }
    guard let user = User(ofEntry: name) else {
      return bad("there is no user \(name)", "pipe(8) does not start")
    }
    if Int64(user.id) < max(1, settings?.minimumUser ?? 100) {
      bad(
        "\(user.name) is uid \(user.id), below virtual_minimum_uid",
        "every message is deferred: no mail is delivered as root or another system user")
    }
  }

  /// The arguments are parsed as `ullage-deliver` parses them.
  private func checkArguments(_ report: inout CheckReport) {
    var request = DeliveryRequest()
    do {
      try request.parse(entry.program.dropFirst().map { Array(Self.normal($0).utf8) })
    } catch {
      report.add(
        .error, .arguments, "the arguments are wrong: \(error.shown)", at: place,
        reason: "every message is deferred",
        remedy: setCommand(entry.commandLine(running: rightProgram(request))))
    }
    let forgotten = [
      ("--original-recipient", request.originalRecipient), ("--queue-id", request.queueID), ("--size", request.size),
    ].filter { $0.1.isEmpty }.map(\.0)
    if !forgotten.isEmpty {
      report.add(
        .notice, .arguments, "\(forgotten.joined(separator: ", ")) \(forgotten.count == 1 ? "is" : "are") not given",
        at: place,
        reason: "the log then lacks them, and its lines are hard to match with Postfix's",
        remedy: setCommand(entry.commandLine(running: rightProgram(request))))
    }
    let expected: [(String, [UInt8], [UInt8])] = [
      ("recipient", request.recipient, Array("${recipient}".utf8)), ("sender", request.sender, Array("${sender}".utf8)),
    ]
    for (name, given, macro) in expected where !given.isEmpty && given != macro {
      report.add(
        .error, .arguments, "--\(name) is \(given.text), not \(macro.text)", at: place,
        reason: name == "recipient" ? "mail goes to the wrong mailbox or to none" : "it is not the envelope sender",
        remedy: setCommand(entry.commandLine(running: rightProgram(request))))
    }
    if request.configurationFile != Array(configurationFile.utf8) {
      report.add(
        .warning, .arguments, "the entry reads \(request.configurationFile.text), but this check \(configurationFile)",
        at: place, reason: "the findings here may not apply to deliveries",
        remedy: postfix.checkCommand(request.configurationFile.text))
    }
  }

  /// `$name` and `$(name)` are `${name}` to pipe(8).
  private static func normal(_ argument: String) -> String {
    argument.replacing(#/\$(?:\(([A-Za-z0-9_]+)\)|([A-Za-z0-9_]+))/#) { "${\($0.1 ?? $0.2 ?? "")}" }
  }

  /// The program with the arguments that the manual gives.
  private func rightProgram(_ request: DeliveryRequest) -> [String] {
    let file = request.configurationFile.text
    return [entry.program[0]] + (file == Ullage.configurationFile ? [] : ["--config=\(file)"]) + [
      "--sender=${sender}", "--recipient=${recipient}", "--original-recipient=${original_recipient}",
      "--queue-id=${queue_id}", "--size=${size}",
    ]
  }

  private func checkProgram(_ report: inout CheckReport) {
    guard let name = entry.program.first, let path = Path(name.utf8) else { return }
    let user = User(ofEntry: entry.attributes["user"] ?? "")
    let isBlind = CurrentProcess.effectiveUser != 0 && CurrentProcess.effectiveUser != user?.id
    guard isBlind || user.acting({ isAllowed(.execution, to: path) }) else {
      return report.add(
        .error, .program, "\(name) is missing, or the mail user may not run it", at: place,
        reason: "every message is deferred", remedy: "install it with mode 755, or correct argv= in the entry")
    }
    // As root, run nothing that another user could have put there.
    if CurrentProcess.effectiveUser == 0, let stranger = Self.stranger(above: path) {
      return report.add(
        .warning, .program, "users other than root may write to \(stranger)", at: place,
        reason: "they could replace the program that gets all mail; so it was not run to see whether it starts",
        remedy: "chown root \(shellWord(stranger)) && chmod go-w \(shellWord(stranger))")
    }
    let ending = try? ChildProcess.run(path, ["--version"], limit: 4096, until: Deadline(secondsFromNow: 10))
    guard ending?.status == 0, let version = ending?.output.split(separator: UInt8(ascii: "\n")).first?.text else {
      return report.add(
        .error, .program, "\(name) does not start", at: place,
        reason: "a program that lacks a library ends with 127, and pipe(8) bounces the message",
        remedy: "ldd \(shellWord(name))")
    }
    if !version.hasSuffix(" \(Ullage.version)") {
      report.add(
        .warning, .program, "\(name) is \(version), but this is ullage \(Ullage.version)", at: place,
        reason: "both read the same configuration", remedy: "install both from one package")
    }
  }

  /// The program, or a directory above it, if users other than root may change it; nil if there is none.
  private static func stranger(above path: Path) -> String? {
    var name = path.text
    while true {
      guard let path = Path((name.isEmpty ? "/" : name).utf8), let status = try? stat(path) else { return name }
      // In a sticky directory, other users cannot rename root's files.
      let isOpen = status.permissions & 0o022 != 0 && status.permissions & 0o1000 == 0
      if status.owner != 0 || isOpen { return name.isEmpty ? "/" : name }
      guard let slash = name.lastIndex(of: "/"), !name.isEmpty else { return nil }
      name = String(name[..<slash])
    }
  }

  private func checkProcesses(_ report: inout CheckReport) {
    guard let settings, settings.lookupService.socket == nil || settings.lookupService.fallsBack,
      let available = connections
    else {
      return
    }
    let limit = entry.processLimit ?? Int64(value("default_process_limit")) ?? 100
    let text = limit == 0 ? "any number of processes" : "up to \(limit) processes"
    let remedy = "postconf\(postfix.option) -F \(entry.name)/unix/process_limit=20 && \(reload)"
    let other = ". The lookup service, ullaged(8), needs four in all"
    if limit == 0 || limit >= available {
      report.add(
        .error, .processLimit,
        "\(text) hold a connection each, but PostgreSQL has only \(available) in all", at: place,
        reason: "in a burst of mail others find no connection, and mail is deferred" + other, remedy: remedy)
    } else if limit * 2 > available {
      report.add(
        .warning, .processLimit, "\(text) hold a connection each, more than half of PostgreSQL's \(available)",
        at: place,
        reason: "Postfix itself, the IMAP server and the panel need connections, too" + other, remedy: remedy)
    }
  }

  /// Seconds that a delivery may need to end after its time limit.
  private static let margin: Int64 = 30

  private func checkTime(_ report: inout CheckReport) {
    guard let settings else { return }
    let own = "\(entry.name)_time_limit"
    let name = value(own).isEmpty ? "command_time_limit" : own
    // The entry's -o overrides main.cf.
    let remedy =
      entry.overrides[own] == nil
      ? "postconf\(postfix.option) -e \(own)=1000s && \(reload)"
      : "postconf\(postfix.option) -P \(entry.name)/unix/\(own)=1000s && \(reload)"
    guard let limit = postfixSeconds(value(name)) else {
      return report.add(
        .error, .timeLimit, "\(name) is \"\(value(name))\", which is not a time", at: place,
        reason: "pipe(8) does not start", remedy: remedy)
    }
    guard limit < settings.deliveryTimeLimit + Self.margin else { return }
    let isBelow = limit <= settings.deliveryTimeLimit
    report.add(
      isBelow ? .error : .warning, .timeLimit,
      "\(name) is \(limit) s, and delivery_time_limit \(settings.deliveryTimeLimit) s", at: "\(postfix.path)/main.cf",
      reason: "pipe(8) kills a delivery that takes longer, and bounces the message, before it can defer it itself",
      remedy: remedy)
  }

  private func checkSoftBounce(_ report: inout CheckReport) {
    guard value("soft_bounce").lowercased() == "yes" else { return }
    let isOwn = entry.overrides["soft_bounce"] != nil
    report.add(
      .warning, .softBounce, "soft_bounce is on", at: isOwn ? place : "\(postfix.path)/main.cf",
      reason: "fine for the first days: refusals become deferrals, and mail for unknown mailboxes fills the queue",
      remedy: isOwn
        ? "postconf\(postfix.option) -PX \(entry.name)/unix/soft_bounce && \(reload)"
        : "postconf\(postfix.option) -X soft_bounce && \(reload)")
  }
}

extension PostfixDirectory {
  /// The command that checks another ullage.cf with this directory.
  func checkCommand(_ file: String) -> String {
    "ullage check --config=\(shellWord(file))" + (path == Self.usual ? "" : " --postfix=\(shellWord(path))")
  }
}

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import LMTP
import Posix
import Site
import Text

/// An entry of master.cf through which lmtp(8) hands mail to the LMTP service, and whether that answers.
struct LMTPCheck {
  private let entry: Entry
  private let use: LMTPEntry
  private let survey: Survey
  /// Nil if ullage.cf is invalid.
  private let settings: LMTPSettings?
  /// How many connections the queried databases leave us, nil if unknown.
  private let connections: Int64?
  private var found = FindingList(.postfix)

  init(_ entry: Entry, _ use: LMTPEntry, _ settings: LMTPSettings?, connections: Int64?) {
    self.entry = entry
    self.use = use
    survey = Survey(entry.postfix.path)
    self.settings = settings
    self.connections = connections
  }

  private var writesDeliveredTo: Bool? { settings?.writesDeliveredTo }

  func findings() -> [Finding] {
    var check = self
    check.checkEntry()
    check.checkPlaces()
    check.checkConnections()
    entry.checkSoftBounce(&check.found)
    return check.found.findings
  }

  private mutating func checkEntry() {
    let flags = Set(entry.service.attributes["flags"] ?? "")
    let isForOne = entry.recipientLimit(&found) == "1"
    let remedy = correction(isForOne: isForOne || writesDeliveredTo == true)
    checkStart(flags, remedy)
    checkRecipientLimit(flags, isForOne: isForOne, remedy)
    checkFlags(flags, isForOne: isForOne, remedy)
    checkOptions(remedy)
  }

  /// The entry as the manual gives it, with the other options that it has. One command mends every mistake in it, so it
  /// can be run for any of them.
  private mutating func correction(isForOne: Bool) -> Remedy {
    let (service, postfix) = (entry.service, entry.postfix)
    // Postfix's own entry of that name is there for other servers, too.
    guard service.name != "lmtp" else { return .run(ownEntry) }
    // First, so that O is never there without it.
    let limit =
      isForOne && entry.recipientLimit(&found) != "1"
      ? [postfix.postconf("-e", "\(entry.recipientLimitName)=1")] : []
    let others =
      (shownKeywords.map { [(name: Self.discarded, value: $0)] } ?? [])
      + (requiredEncryption == nil ? [] : [(name: Self.encryption, value: "none")])
    let line = service.lmtpCommandLine(
      flags: isForOne ? MasterEntry.flags : MasterEntry.lmtpFlagsForSeveral, options: MasterEntry.lmtpOptions + others
    )
    return .run(limit + [postfix.postconf("-F", "\(service.name)/\(service.type)/command=\(line)"), postfix.reload])
  }

  private var ownEntry: [Command] {
    let (postfix, name) = (entry.postfix, MasterEntry.lmtpTransport)
    return [
      postfix.postconf("-M", "\(name)/unix=\(MasterEntry.lmtpLine())"),
      postfix.postconf("-e", "\(name)_destination_recipient_limit=1"),
      postfix.postconf("-e", "virtual_transport=\(Transport(name, to: use.transport.nexthop).text)"), postfix.reload,
    ]
  }

  private mutating func checkStart(_ flags: Set<Character>, _ remedy: Remedy) {
    let version = survey.defaultValue("mail_version")?.text ?? ""
    if Self.isTooOld(version) {
      found.add(
        .error, .flags, "this is Postfix \(version), whose lmtp(8) has no flags=", at: entry.place,
        reason: "it does not start, and all mail is deferred; that takes Postfix 3.5",
        remedy: .advice("deliver by ullage-deliver until then"))
    }
    if entry.service.hasLateOption {
      found.add(
        .error, .flags, "an option comes after flags=", at: entry.place,
        reason: "lmtp(8) does not start, and all mail is deferred", remedy: remedy)
    }
    for flag in flags.subtracting("DORX").sorted() {
      found.add(
        .error, .flags, "flags= has \(flag), which lmtp(8) does not know", at: entry.place,
        reason: "it does not start, and all mail is deferred", remedy: remedy)
    }
  }

  /// Flags came with Postfix 3.5 (lmtp(8)).
  static func isTooOld(_ version: String) -> Bool {
    let numbers = version.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return numbers.count == 2 && (numbers[0], numbers[1]) < (3, 5)
  }

  private mutating func checkRecipientLimit(_ flags: Set<Character>, isForOne: Bool, _ remedy: Remedy) {
    let name = entry.recipientLimitName
    guard !isForOne else {
      guard writesDeliveredTo == false, !flags.contains("D") else { return }
      return found.add(
        .notice, .recipientLimit, "\(name) is 1, and lmtp_delivered_to is no", at: entry.mainFile,
        reason: "messages get no Delivered-To:, and each is still written separately for every recipient",
        remedy: .advice("set lmtp_delivered_to = yes, or, for mail to many recipients at once, take the limit away"))
    }
    if let flag = ["O", "D"].first(where: { flags.contains($0) }) {
      found.add(
        .error, .recipientLimit, "flags= has \(flag), and \(name) is not 1", at: entry.mainFile,
        reason: "lmtp(8) defers every message for several mailboxes: mail system configuration error", remedy: remedy)
    } else if writesDeliveredTo == true {
      found.add(
        .warning, .recipientLimit, "\(name) is not 1, and lmtp_delivered_to is yes", at: entry.mainFile,
        reason: "a message for several mailboxes is copied for each, and has no X-Original-To:. For mail to many"
          + " recipients at once set lmtp_delivered_to = no, and it is written once", remedy: remedy)
    }
  }

  private mutating func checkFlags(_ flags: Set<Character>, isForOne: Bool, _ remedy: Remedy) {
    let wanted: [(Character, String, Finding.Severity)] = [
      ("R", "without it there is no Return-Path: in a message", .error),
      ("O", "without it there is no X-Original-To:", .warning),
      ("X", "without it a notification says \"relayed\" where it should say \"delivered\"", .warning),
    ]
    for (flag, reason, severity) in wanted where !flags.contains(flag) && (flag != "O" || isForOne) {
      found.add(severity, .flags, "flags= lacks \(flag)", at: entry.place, reason: reason, remedy: remedy)
    }
    if flags.contains("D") {
      found.add(
        .warning, .flags, "flags= has D, which also bounces each message that has a Delivered-To: of its recipient",
        at: entry.place,
        reason: "resent and fetched mail has one, and virtual(8) delivers it; the service writes the header itself",
        remedy: remedy)
    }
  }

  private mutating func checkOptions(_ remedy: Remedy) {
    let limit = entry.value("lmtp_line_length_limit", isOwn: true, &found)
    if limit != "0" {
      found.add(
        .warning, .lmtpOptions, "lmtp_line_length_limit is \(limit.isEmpty ? "not set" : limit), not 0",
        at: entry.place,
        reason: "lmtp(8) breaks lines longer than that, 998 bytes by default, and with them DKIM signatures",
        remedy: remedy)
    }
    if let level = requiredEncryption {
      found.add(
        .error, .lmtpOptions, "\(Self.encryption) is \(level)", at: entry.place,
        reason: "the service has no TLS, so all mail for it is deferred", remedy: remedy)
    }
    if let shown = shownKeywords {
      found.add(
        .warning, .lmtpOptions, "\(Self.discarded) hides what the service can", at: entry.place,
        reason: "without SMTPUTF8 mail from some senders bounces, without 8BITMIME it is changed on the way, without"
          + " PIPELINING it takes longer" + (shown.isEmpty ? "" : "; \(shown) may stay"), remedy: remedy)
    }
    guard entry.value("lmtp_send_xforward_command", isOwn: true, &found).lowercased() != "yes" else { return }
    found.add(
      .notice, .lmtpOptions, "lmtp_send_xforward_command is not yes", at: entry.place,
      reason: "the log finds Postfix's queue ID only in a message's first Received:", remedy: remedy)
  }

  private static let encryption = "lmtp_tls_security_level"

  /// The level of an entry that sends nothing without TLS (postconf(5)); nil if it does.
  private var requiredEncryption: String? {
    var ignored = FindingList(.postfix)
    let level = entry.value(Self.encryption, isOwn: true, &ignored)
    return ["", "none", "may", "dane"].contains(level.lowercased()) ? nil : level
  }

  private static let discarded = "lmtp_discard_lhlo_keywords"

  /// The value of `lmtp_discard_lhlo_keywords` without those that the service needs; nil if it has none of them.
  private var shownKeywords: String? {
    var ignored = FindingList(.postfix)
    let words = splitList(Array(entry.value(Self.discarded, isOwn: true, &ignored).utf8)).map { $0.text }
    let rest = words.filter { !["smtputf8", "8bitmime", "pipelining"].contains($0.lowercased()) }
    return rest.count == words.count ? nil : rest.joined(separator: ",")
  }

  private mutating func checkPlaces() {
    for nexthop in use.isUsed ? use.nexthops : [MasterEntry.lmtpNexthop] {
      guard let name = survey.socket(of: nexthop), let path = Path(name.utf8) else {
        found.skip(
          "whether the service answers on \(nexthop)",
          because: "lmtp_clients says who may connect by TCP, and that need not be this program",
          remedy: .advice("send a message that way, and look at the log"))
        continue
      }
      if let other = masterService(on: name) {
        found.add(
          .error, .lmtpSocket, "Postfix itself listens on \(name), for the entry \(other.name)", at: entry.place,
          reason: "lmtp(8) is connected to itself, and the service's socket is gone; mail waits",
          remedy: renaming(other))
      } else if nexthop.hasPrefix("unix:/"), entry.isChrooted(&found) {
        found.add(
          .error, .entryFields, "the entry runs in a chroot and cannot reach \(nexthop)", at: entry.place,
          reason: "all mail is deferred", remedy: entry.setField("chroot", "n"))
      } else {
        checkSocket(name, path, nexthop)
      }
    }
  }

  /// The entry for which master(8) makes the socket `name`.
  private func masterService(on name: String) -> MasterService? {
    let directories = ["private", "public"].compactMap { survey.socket(of: "unix:\($0)") }
    return entry.postfix.master.services.first { service in
      directories.contains { "\($0)/\(service.name)" == name }
    }
  }

  /// An entry of ours with the usual name instead of `other`, and the service's socket anew.
  private func renaming(_ other: MasterService) -> Remedy {
    guard other.name == entry.service.name else {
      return .advice("let the service listen somewhere else: ListenStream= in ullaged-lmtp.socket; ullaged(8)")
    }
    let commands = [entry.postfix.postconf("-MX", "\(other.name)/\(other.type)")] + ownEntry
    return TableFiles.runsSystemd
      ? .run(commands + [Command("systemctl", "restart", "ullaged-lmtp.socket", "ullaged-lmtp.service")])
      : .advise("give the entry another name, and start the service again", commands)
  }

  private mutating func checkSocket(_ name: String, _ path: Path, _ nexthop: String) {
    let (severity, reason) =
      use.isUsed
      ? (Finding.Severity.error, "all mail is deferred until the service answers")
      : (.warning, "nothing sends mail there now; mail that comes is deferred until the service answers")
    let probe = ServiceProbe(service: "lmtp", site: entry.site)
    do throws(SystemError) {
      guard try !LMTPGreeting.isOurs(probe.answer(at: path)) else { return }
      found.add(
        severity, .lmtpSocket, "what answers on \(name) is not the LMTP service", at: entry.place, reason: reason,
        remedy: .advice("see who listens there"))
    } catch {
      if error.number == Errno.EACCES, CurrentProcess.effectiveUser != 0 {
        return found.skip("whether \(name) answers", because: "you may not connect to it", remedy: .runAsRoot)
      }
      let remedy = change(of: nexthop, probe) ?? probe.remedy(for: error)
      found.add(severity, .lmtpSocket, error.shown, at: entry.place, reason: reason, remedy: remedy)
    }
  }

  /// What sends mail to where the service does answer, nil if that is nowhere.
  private mutating func change(of nexthop: String, _ probe: ServiceProbe) -> Remedy? {
    guard use.isUsed else { return nil }
    var places = [MasterEntry.lmtpNexthop]
    if let socket = settings?.socket, !entry.isChrooted(&found) { places.append("unix:\(socket.text)") }
    let place = places.first { place in
      guard let path = survey.socket(of: place).flatMap({ Path($0.utf8) }) else { return false }
      do { return try LMTPGreeting.isOurs(probe.answer(at: path)) } catch { return false }
    }
    guard let place else { return nil }
    let now = Transport(entry.service.name, to: nexthop)
    let right = Transport(entry.service.name, to: place)
    let postfix = entry.postfix
    let value: String?
    do { value = try postfix.value(of: "virtual_transport") } catch { value = nil }
    return value == now.text
      ? .run(postfix.postconf("-e", "virtual_transport=\(right.text)"), postfix.reload)
      : .advice("the service answers on \(place): write \(right.field) instead of \(now.field)")
  }

  /// Without the lookup service, each thread of the LMTP service has a connection of its own.
  private mutating func checkConnections() {
    guard let available = connections, let lookup = entry.site.settings?.lookupService else { return }
    let threads = Int64(LMTPSettings.threads)
    let change = lookup.socket == nil ? "set lookup_socket" : "set lookup_fallback = no"
    entry.checkConnections(
      threads, "the LMTP service may hold \(threads) connections", of: available, at: entry.site.configurationFile,
      remedy: .advice(
        "let the lookup service, ullaged(8), ask the database: \(lookup.connections) connections in all; \(change)"),
      &found)
  }
}

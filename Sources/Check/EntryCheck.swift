// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// How Postfix runs an entry: its fields, its user, its limits.
struct EntryCheck {
  private let entry: Entry
  /// How many connections the queried databases leave us, nil if unknown.
  private let connections: Int64?
  private var found = FindingList(.postfix)

  init(_ entry: Entry, connections: Int64?) {
    self.entry = entry
    self.connections = connections
  }

  static func entries(in postfix: PostfixDirectory) -> [MasterService] {
    postfix.master.services.filter(\.runsDelivery)
  }

  /// The ullage.cf that an entry reads.
  static func configurationFile(of entry: MasterService) -> String {
    var request = DeliveryRequest()
    // Errors in the other arguments are reported by `ArgumentsCheck`.
    do { try request.parse(entry.program.dropFirst().map { Array($0.utf8) }) } catch {
      // `--config FILE` is a mistake for `--config=FILE`.
      if let file = entry.program.drop(while: { $0 != "--config" }).dropFirst().first, file.hasPrefix("/") {
        return file
      }
    }
    return request.configurationFile.text
  }

  func findings() -> [Finding] {
    var check = self
    check.checkRecipientLimit()
    check.checkFields()
    check.checkUser()
    check.checkProcesses()
    check.checkTime()
    return check.found.findings
  }

  private mutating func checkRecipientLimit() {
    let name = entry.recipientLimitName
    guard entry.recipientLimit(&found) != "1" else { return }
    found.add(
      .error, .recipientLimit, "\(name) is not 1", at: entry.mainFile,
      reason: "pipe(8) would give a message for several mailboxes to one process, which defers it",
      remedy: entry.change("-e", "\(name)=1"))
  }

  private mutating func checkFields() {
    if entry.isChrooted(&found) {
      found.add(
        .error, .entryFields, "the entry runs in a chroot", at: entry.place,
        reason: "pipe(8) finds neither the program nor the Maildirs there", remedy: entry.setField("chroot", "n"))
    }
    if entry.service.isUnprivileged {
      found.add(
        .error, .entryFields, "the entry is unprivileged", at: entry.place,
        reason: "pipe(8) must start with root's rights to become the mail user",
        remedy: entry.setField("unprivileged", "n"))
    }
  }

  private mutating func checkUser() {
    let name = entry.service.attributes["user"] ?? ""
    guard !name.isEmpty else { return addUser("user= is missing", "pipe(8) does not start without it") }
    guard let user = User(ofEntry: name) else { return addUser(User.unknown(name), "pipe(8) does not start") }
    if Int64(user.id) < max(1, entry.site.settings?.minimumUser ?? 100) {
      addUser(
        "\(user.name) is uid \(user.id), below virtual_minimum_uid",
        "every message is deferred: no mail is delivered as root or another system user")
    }
  }

  private mutating func addUser(_ evidence: String, _ reason: String) {
    found.add(
      .error, .mailUser, evidence, at: entry.place,
      reason: "\(reason). It must be the user who owns the Maildirs, such as vmail",
      remedy: entry.correctionOfUser)
  }

  private mutating func checkProcesses() {
    guard let service = entry.site.settings?.lookupService, service.socket == nil || service.fallsBack,
      let available = connections
    else { return }
    let limit = entry.service.processLimit ?? Int64(entry.value("default_process_limit", isOwn: true, &found)) ?? 100
    let text = limit == 0 ? "any number of processes" : "up to \(limit) processes"
    entry.checkConnections(
      limit == 0 ? nil : limit, "\(text) hold a connection each", of: available, at: entry.place,
      otherwise: ". The lookup service, ullaged(8), needs \(service.connections) in all",
      remedy: entry.setField("process_limit", Self.processes(of: available)), &found)
  }

  /// At most half of the connections, and no more than the manual gives.
  private static func processes(of connections: Int64) -> String { "\(max(1, min(20, connections / 2)))" }

  /// Seconds that a delivery may need to end after its time limit.
  static let margin: Int64 = 30

  /// Postfix's default for command_time_limit.
  static let usualTime = "1000s"

  private mutating func checkTime() {
    guard let settings = entry.site.settings else { return }
    let own = "\(entry.service.name)_time_limit"
    let ownValue = entry.value(own, isOwn: true, &found)
    let name = ownValue.isEmpty ? "command_time_limit" : own
    let text = ownValue.isEmpty ? entry.value(name, isOwn: true, &found) : ownValue
    // The entry's -o overrides main.cf. A value that is no time must itself be mended: pipe(8) reads both.
    let wrong = postfixSeconds(text) == nil ? name : own
    let remedy =
      entry.shortTimes.contains(name) ? entry.correction : entry.change("-e", "\(wrong)=\(Self.usualTime)")
    guard let limit = postfixSeconds(text) else {
      return found.add(
        .error, .timeLimit, "\(name) is \"\(text)\", which is not a time", at: entry.place,
        reason: "pipe(8) does not start", remedy: remedy)
    }
    guard limit < settings.deliveryTimeLimit + Self.margin else { return }
    let isBelow = limit <= settings.deliveryTimeLimit
    found.add(
      isBelow ? .error : .warning, .timeLimit,
      "\(name) is \(limit) s, and delivery_time_limit \(settings.deliveryTimeLimit) s",
      at: entry.shortTimes.contains(name) ? entry.place : entry.mainFile,
      reason: "pipe(8) kills a delivery that takes longer, and bounces the message, before it can defer it itself",
      remedy: remedy)
  }
}

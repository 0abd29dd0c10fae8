// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
import Text

/// What `ullage-deliver` does for one run of pipe(8): command line, configuration, delivery, log.
package struct DeliveryProgram: ~Copyable {
  private let arguments: [[UInt8]]
  private var request = DeliveryRequest()
  private var log = SystemLog(
    socket: Array(Parameter.log_socket.definition.defaultText.utf8),
    name: Array(Parameter.syslog_name.definition.defaultText.utf8))

  /// As much as a pipe holds. It is here to live until the process ends.
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)

  /// - Parameter arguments: those after the program's name.
  package init(arguments: [[UInt8]]) {
    self.arguments = arguments
  }

  /// Delivers the message of `source`, logs what happened, and tells how it ended.
  package mutating func run(_ source: inout some MessageSource & ~Copyable) -> Disposition {
    do {
      return try deliver(&source)
    } catch {
      let disposition = Disposition.deferred(error.deferral)
      report(disposition, "deferred", [], warnings: [error.sentence])
      return disposition
    }
  }

  private mutating func deliver(_ source: inout some MessageSource & ~Copyable) throws(DeliveryError) -> Disposition {
    do { try request.parse(arguments) } catch { throw .usage(error) }
    let settings = try configure()
    let deadline = Deadline(secondsFromNow: settings.deliveryTimeLimit)
    let user = CurrentProcess.effectiveUser
    guard user != 0 else { throw .startedAsRoot }
    guard Int64(user) >= settings.minimumUser else { throw .belowMinimumUser(user) }

    let mailboxes = MailboxLookup(settings)
    let tableDeadline = deadline.share(seconds: 20)
    let found: Mailbox?
    do {
      found = try mailboxes.mailbox(
        of: request.recipient, user: user, group: CurrentProcess.effectiveGroup, until: tableDeadline)
    } catch { throw .mailbox(error) }
    guard let mailbox = found else {
      report(.noSuchMailbox, "refused", [], warnings: Self.warnings(mailboxes))
      return .noSuchMailbox
    }

    let agent = DeliveryAgent(settings, hostName: CurrentProcess.hostName, descriptors: CurrentProcess.descriptors)
    let outcome = try agent.deliver(from: &source, through: &buffer, to: mailbox, until: deadline)
    return conclude(outcome, mailbox, settings, mailboxes)
  }

  /// Reads ullage.cf, and sends the log where it says even if the rest of it is wrong.
  private mutating func configure() throws(DeliveryError) -> Settings {
    let name = request.configurationFile
    guard let path = Path(name) else { throw .configuration(file: name, line: nil, message: "the name holds NUL") }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 1 << 20, until: .never) } catch {
      throw .unreadableConfiguration(error)
    }
    let file = ConfigurationFile(parsing: text)
    log = SystemLog(socket: file.logSocket, name: file.syslogName)
    do { return try Settings(file) } catch {
      throw .configuration(file: name, line: error.line, message: error.message)
    }
  }

  private func conclude(
    _ outcome: DeliveryAgent.Outcome, _ mailbox: Mailbox, _ settings: Settings, _ mailboxes: MailboxLookup
  ) -> Disposition {
    var warnings = outcome.warnings
    let disposition: Disposition
    var status: String
    switch outcome.answer {
    case .delivered:
      disposition = .delivered
      status = "sent"
    case .overQuota, .largerThanLimit, .seemsFull:
      let isPermanent = outcome.answer == .largerThanLimit || outcome.answer == .overQuota && settings.overquotaBounces
      let text = limitMessage(mailboxes, settings, &warnings)
      disposition = .overQuota(text: text, isPermanent: isPermanent)
      status = isPermanent ? "refused" : "deferred"
      status += outcome.answer == .largerThanLimit ? " (larger than the limit)" : " (over quota)"
    }
    if case .setAside = mailbox.quota.source {
      warnings.append(
        Array("the limit is below message_size_limit, so virtual_mailbox_limit holds; see".utf8)
          + Array(" virtual_mailbox_limit_override".utf8))
    }
    if outcome.answer == .seemsFull {
      warnings.append(
        Array("by maildirsize the mailbox is full, but it could not be counted in time; see recount_time_limit".utf8))
    }
    report(disposition, status, fields(outcome, mailbox.quota.limit), warnings: warnings + Self.warnings(mailboxes))
    return disposition
  }

  private static func warnings(_ mailboxes: MailboxLookup) -> [[UInt8]] {
    guard let failure = mailboxes.serviceFailure else { return [] }
    return [Array("the tables were asked without the lookup service: \(failure)".utf8)]
  }

  /// The configured text. One that cannot be looked up is no reason to answer anything else (as with VDA).
  private func limitMessage(
    _ mailboxes: MailboxLookup, _ settings: Settings, _ warnings: inout [[UInt8]]
  ) -> [UInt8] {
    // The message was read meanwhile: the text has a share of time of its own.
    let deadline = Deadline(secondsFromNow: 10)
    do { return try mailboxes.limitMessage(for: request.recipient, until: deadline) ?? settings.limitMessage } catch {
      warnings.append(Array("virtual_maildir_limit_message holds: ".utf8) + error.sentence)
      return settings.limitMessage
    }
  }

  private func fields(_ outcome: DeliveryAgent.Outcome, _ limit: QuotaLimit) -> [String] {
    var fields: [String] = []
    if !request.size.isEmpty {
      fields.append("queue_size=" + displayText(request.size))
    }
    // Who is refused for his size is not read to the end.
    let sign = outcome.answer == .largerThanLimit ? ">=" : "="
    if let size = outcome.size { fields.append("size\(sign)\(size)") }
    if let usage = outcome.usage { fields.append("used=\(usage.bytes)") }
    fields.append("limit=\(limit.bytes)")
    if limit.messages > 0 {
      if let usage = outcome.usage { fields.append("messages=\(usage.messages)") }
      fields.append("message_limit=\(limit.messages)")
    }
    return fields
  }

  /// One line on how it ended, and one for each cause of trouble.
  private func report(_ disposition: Disposition, _ status: String, _ fields: [String], warnings: [[UInt8]]) {
    var line = Array("to=<".utf8) + escaped(request.recipient) + Array(">, ".utf8)
    if !request.originalRecipient.isEmpty && request.originalRecipient != request.recipient {
      line += Array("orig_to=<".utf8) + escaped(request.originalRecipient) + Array(">, ".utf8)
    }
    let rest = fields + ["dsn=\(disposition.statusCode)", "status=\(status)"]
    line += Array(rest.joined(separator: ", ").utf8)
    log.write(status == "sent" ? .information : .warning, queueID: request.queueID, line)
    for warning in warnings {
      log.write(.warning, queueID: request.queueID, Array("warning: ".utf8) + warning)
    }
  }
}

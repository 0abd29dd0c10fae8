// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Quota
import Site
import Text

/// The commands, in a safe order.
extension Migration {
  /// The user that delivers: virtual(8) has one per mailbox, pipe(8) one per entry.
  mutating func findUser() throws(ConfigurationError) {
    if let name = options.user {
      plan.user = name
      guard let user = User(ofEntry: name) else { return obstacle("--user", User.unknown(name)) }
      return try refuseSystemUser(user, "--user")
    }
    // An entry that delivers already has the owner of the Maildirs.
    plan.user = postfix.master.services.first(where: \.runsDelivery)?.attributes["user"] ?? "vmail"
    guard let number = try fixedNumber(.virtual_uid_maps) else {
      if let maps = written(.virtual_uid_maps), !maps.isEmpty {
        obstacle(
          "virtual_uid_maps",
          "gives each mailbox its own user (\(maps.text)), but "
            + (options.usesLMTP
              ? "the LMTP service has one. Give"
              : "pipe(8) has one per master.cf entry. Create an entry for each uid, or give")
            + " all Maildirs to one user and name it with --user")
      } else if User(ofEntry: plan.user) == nil {
        obstacle(
          "virtual_uid_maps",
          "is not set, and there is no user \(plan.user); name the owner of the Maildirs with --user")
      }
      return
    }
    let group = try fixedNumber(.virtual_gid_maps) ?? User(id: number)?.group ?? number
    guard let user = User(id: number) else { return makeUser(number, group) }
    plan.user = user.name
    try refuseSystemUser(user, "virtual_uid_maps")
    guard group != user.group else { return }
    if let name = Group.name(of: group) {
      plan.user = "\(user.name):\(name)"
    } else {
      plan.user = "\(user.name):\(Self.freeName(group))"
      obstacle(
        "virtual_gid_maps", "no group has gid \(group). Create one:",
        remedy: .run(Command("groupadd", "-g", "\(group)", Self.freeName(group))))
    }
  }

  /// pipe(8) needs a name.
  private mutating func makeUser(_ number: UInt32, _ group: UInt32) {
    let name = Self.freeName(number)
    plan.user = name
    let groupName = Group.name(of: group)
    let makeGroup = groupName == nil ? [Command("groupadd", "-g", "\(group)", name)] : []
    let makeUser = Command(
      "useradd", "-u", "\(number)", "-g", groupName ?? name, "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", name
    )
    obstacle(
      "virtual_uid_maps",
      "no user has uid \(number), and \(options.usesLMTP ? "the service" : "pipe(8)") needs a name. Create one, and run"
        + " this again to see what it may read:",
      remedy: .run(makeGroup + [makeUser]))
  }

  private static func freeName(_ number: UInt32) -> String {
    User(named: "vmail") == nil && Group.id(of: "vmail") == nil
      ? "vmail" : "vmail\(number)"
  }

  /// Refuses root and other system users: nothing is delivered with their rights.
  private mutating func refuseSystemUser(_ user: User, _ subject: String) throws(ConfigurationError) {
    let least = max(1, Int64(try value(.virtual_minimum_uid)) ?? 100)
    guard Int64(user.id) < least else { return }
    obstacle(
      subject,
      "\(user.name) has uid \(user.id), below virtual_minimum_uid (\(least)): no mail is delivered as such a user."
        + " Give the Maildirs a user of their own")
  }

  /// `static:5000`
  private func fixedNumber(_ parameter: Parameter) throws(ConfigurationError) -> UInt32? {
    guard let maps = try postfix.value(of: parameter.rawValue, for: service), maps.hasPrefix("static:") else {
      return nil
    }
    return UInt32(maps.dropFirst("static:".count))
  }

  mutating func addSteps() throws(ConfigurationError) {
    let name = options.transport
    let isUsual = options.configurationFile == Ullage.configurationFile
    let config = isUsual ? [] : ["--config=\(options.configurationFile)"]
    addReadingStep()
    // The service runs as the user that this step names.
    if options.usesLMTP { try addAuditStep() }
    addTransportStep()
    if options.usesLMTP { addServiceStep() }
    add("Check the setup.", [postfix.check(options.configurationFile)])
    add(
      "Switch over, and watch the log.",
      routes(\.commandsThere) + otherTransports.map { postfix.postconf("-e", "\($0.parameter)=\($0.changed)") }
        + [postfix.postconf("-e", "virtual_transport=\(destination.text)"), postfix.reload],
      statements: routeChanges.compactMap(\.statementThere))
    // Without a ledger there is nothing to count, and without PostgreSQL no list of mailboxes.
    if settings?.countingRule.inboxOnly != true, settings?.listDatabase != nil {
      add(
        "Count each mailbox once: VDA's figures drift, and those of mailboxes without a limit are invented.",
        [Command(words: ["ullage", "recompute"] + config + ["--all"])])
    }
    if !options.usesLMTP { try addAuditStep() }
    add(
      "Some days later, turn soft_bounce off.", [postfix.postconf("-PX", "\(name)/unix/soft_bounce"), postfix.reload])
    let lines = linesOfVDA
    if !lines.isEmpty {
      let names = Command(words: ["postconf"] + postfix.option + ["-X"] + lines.map(\.name))
      add(
        "When you are sure that you stay, take the lines out of main.cf that Postfix does not know. It warns of each"
          + " at every start.", [names, postfix.reload])
    }
    try addWayBack()
  }

  /// The parameters that only VDA's patch has. Postfix calls each line with one an unused parameter.
  private static let namesOfVDA: Set<String> = [
    "virtual_create_maildirsize", "virtual_maildir_extended", "virtual_maildir_filter", "virtual_maildir_filter_maps",
    "virtual_maildir_limit_message", "virtual_maildir_limit_message_maps", "virtual_maildir_suffix",
    "virtual_mailbox_extended", "virtual_mailbox_limit_inbox", "virtual_mailbox_limit_maps",
    "virtual_mailbox_limit_message", "virtual_mailbox_limit_override", "virtual_overquota_bounce",
    "virtual_trash_count",
    "virtual_trash_name",
  ]

  /// The lines of main.cf that nothing uses without VDA's patch, with macros of the administrator's own that only they
  /// refer to, in the order of their names.
  private var linesOfVDA: [(name: String, value: String)] {
    let entries = postfix.main.entries
    let overrides = postfix.master.services.flatMap { $0.overrides.values.map { Array($0.utf8) } }
    var unused = Set(entries.keys).intersection(Self.namesOfVDA)
    // $myhostname, for instance, is no macro, whoever else refers to it.
    let macros = macroNames.filter { entries[$0] != nil && !survey.isPostfixParameter($0) }
    // A macro may be the only one that refers to another.
    while true {
      let used = entries.filter { !unused.contains($0.key) }.map(\.value.value) + overrides
      let names = used.reduce(into: Set<String>()) { $0.formUnion(Macro.names(in: $1)) }
      let rest = macros.filter { !names.contains($0) && !unused.contains($0) }
      guard !rest.isEmpty else { break }
      unused.formUnion(rest)
    }
    return unused.sorted().map { ($0, entries[$0]?.value.text ?? "") }
  }

  private func routes(_ part: (TransportRoute.Change) -> [Command]) -> [Command] { routeChanges.flatMap(part) }

  private mutating func addTransportStep() {
    // Only the value is quoted, which is how an administrator would write it.
    let postconf = postfix.postconf("-M").line
    let name = options.transport
    plan.steps.append(
      .init(
        "Add the transport. For the first days, soft_bounce turns refusals into deferrals.",
        [
          "\(postconf) \(name)/unix=\(shellWord(entry))",
          postfix.postconf("-e", "\(name)_destination_recipient_limit=1").line, postfix.reload.line,
        ]))
  }

  private mutating func addServiceStep() {
    plan.steps.append(
      .init(
        "Start the service. Without systemd, run ullaged lmtp as \(plan.user), with"
          + " lmtp_socket = \(path(of: MasterEntry.lmtpNexthop)) in ullage.cf (ullaged(8)).",
        commands(toStart: "lmtp", at: MasterEntry.lmtpNexthop)))
  }

  private mutating func addWayBack() throws(ConfigurationError) {
    let old = postfix.main.entries["virtual_transport"]?.value.text
    // On a second run, after the switch, the earlier value is unknown; with an entry of ours, there is a quota.
    let piped = options.usesLMTP ? postfix.master.services.first(where: \.runsDelivery)?.name : nil
    let earlier = piped ?? "virtual"
    let isSwitched =
      try postfix.value(of: "virtual_transport")?.split(separator: ":").first == options.transport[...]
    let back =
      if isSwitched {
        postfix.postconf("-e", "virtual_transport=\(earlier)")
      } else if let old {
        postfix.postconf("-e", "virtual_transport=\(old)")
      } else {
        postfix.postconf("-X", "virtual_transport")
      }
    let lines = linesOfVDA
    let again =
      lines.isEmpty
      ? [] : [Command(words: ["postconf"] + postfix.option + ["-e"] + lines.map { "\($0.name)=\($0.value)" })]
    plan.wayBack = .init(
      "The way back. The Maildirs stay as they are"
        + (options.usesLMTP ? ", and so does the entry: mail that is on its way there still needs it" : "")
        + (lines.isEmpty ? "." : "; VDA's lines are written again, in case you have taken them out."),
      (routes(\.commandsBack) + otherTransports.map { postfix.postconf("-e", "\($0.parameter)=\($0.written)") }
        + [back] + again + [postfix.reload]).map(\.line),
      statements: routeChanges.compactMap(\.statementBack))
  }

  private mutating func add(_ title: String, _ commands: [Command], statements: [String] = []) {
    plan.steps.append(.init(title, commands.map(\.line), statements: statements))
  }

  /// The line for master.cf.
  private var entry: String {
    let options = "-o soft_bounce=yes "
    return self.options.usesLMTP
      ? MasterEntry.lmtpLine(self.options.transport, options: options)
      : MasterEntry.line(
        self.options.transport, options: options, user: plan.user, self.options.configurationFile)
  }

  private mutating func addReadingStep() {
    guard let user = User(ofEntry: plan.user) else { return }
    guard CurrentProcess.effectiveUser == 0 else {
      return difference("tables", "whether \(user.name) may read them was not checked: that takes root")
    }
    let commands = TableFiles.commands(toLet: user, read: tables.flatMap { TableFiles.files(of: $0) })
    guard !commands.isEmpty else { return }
    add(
      "Let \(user.name), and nobody else, read the tables"
        + " (or run the lookup service, ullaged(8), which reads them instead).", commands)
  }

  /// The package's units assume the default user, group and path.
  private mutating func addAuditStep() throws(ConfigurationError) {
    let parts = plan.user.split(separator: ":").map(String.init)
    let user = parts.first ?? plan.user
    let group =
      parts.count == 2 ? parts[1] : User(named: user).flatMap { Group.name(of: $0.group) }
    let base = try value(.virtual_mailbox_base)
    let isElsewhere = !base.isEmpty && base != "/var/vmail" && !base.hasPrefix("/var/vmail/")
    var commands: [String] = []
    func settings(_ unit: String, _ lines: [String]) { commands += setUnit(unit, lines) }
    let isUsualFile = options.configurationFile == Ullage.configurationFile
    let hasOtherGroup = group != nil && group != User(named: user).flatMap { Group.name(of: $0.group) }
    if user != "vmail" || isElsewhere || hasOtherGroup {
      let place = base.contains(" ") ? "\"\(base)\"" : base
      var lines = ["[Service]"]
      if user != "vmail" { lines.append("User=\(user)") }
      if let group, hasOtherGroup { lines.append("Group=\(group)") }
      let isHome = UnitFile.homes.contains { base == $0 || base.hasPrefix($0 + "/") }
      if isHome { lines.append("ProtectHome=no") }
      if isElsewhere { lines.append("ReadWritePaths=\(place)") }
      settings("ullage-audit.service", lines)
      settings("ullaged-policy.service", lines)
      settings("ullaged-lmtp.service", lines)
      // It only reads Maildirs.
      let identity = lines.filter { $0.hasPrefix("User=") || $0.hasPrefix("Group=") }
      if !identity.isEmpty { settings("ullage-publish.service", ["[Service]"] + identity) }
    }
    if user != "vmail" {
      commands += [
        "mkdir -p /etc/tmpfiles.d",
        "echo 'd /var/lib/ullage 0750 \(user) - -' > /etc/tmpfiles.d/ullage.conf", "chown -R \(user) /var/lib/ullage",
        "sed -i 's/  vmail  /  \(user)  /' /etc/cron.d/ullage",
      ]
    }
    if let group, group != "vmail" {
      settings("ullaged-lookup.socket", ["[Socket]", "SocketGroup=\(group)"])
      commands.append("usermod -a -G \(group) ullage")
    }
    if !isUsualFile {
      difference(
        "ullage.cf",
        "is not \(Ullage.configurationFile), the only one that the nightly audit and the services of the package read:"
          + " give their units ExecStart= lines with --config (systemctl edit)")
    }
    guard !commands.isEmpty else { return }
    plan.steps.append(
      .init(
        "Tell the nightly audit and the services who owns the Maildirs, and where they are.",
        commands + ["[ ! -d /run/systemd/system ] || systemctl daemon-reload"]))
  }
}

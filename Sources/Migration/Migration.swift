// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Findings
package import Site
import Text

/// Turns a Postfix configuration for VDA into ullage.cf and commands for Postfix: text in, text out.
package struct Migration {
  /// What to migrate to.
  package struct Options: Sendable {
    /// The path of the new file.
    package let configurationFile: String
    /// The name of the new transport.
    package let transport: String
    /// The mail user; nil for the one that `virtual_uid_maps` names.
    package let user: String?
    /// Whether the LMTP service delivers, instead of a process of pipe(8) for each message.
    package let usesLMTP: Bool

    package init(configurationFile: String, transport: String, user: String?, usesLMTP: Bool = false) {
      self.configurationFile = configurationFile
      self.transport = transport
      self.user = user
      self.usesLMTP = usesLMTP
    }
  }

  let postfix: PostfixDirectory
  let options: Options
  let survey: Survey
  /// virtual(8)'s entry in master.cf, whose `-o` settings override main.cf.
  let service: MasterService?
  var plan = MigrationPlan()
  /// The new file as the programs parse it; nil if it is invalid.
  private(set) var settings: Settings?
  /// The lines of the new file, by name.
  private var lines: [(name: String, value: [UInt8])] = []
  private var macros: [(name: String, value: [UInt8])] = []
  /// The administrator's own names to which the lines refer.
  var macroNames: [String] { macros.map(\.name) }
  /// What sends the domains of transport_maps to the new transport, and the reverse.
  var routeChanges: [TransportRoute.Change] = []
  /// The other parameters that send mail to virtual(8).
  var otherTransports: [PostfixDirectory.OtherTransport] = []

  /// What mail is sent to.
  var destination: Transport { Transport(options.transport, to: options.usesLMTP ? MasterEntry.lmtpNexthop : "") }

  /// The commands that start a service of the package. Its socket is where Postfix looks for it: in the queue
  /// directory, of which the unit knows the usual one only.
  func commands(toStart service: String, at endpoint: String) -> [String] {
    let start = Command.enable("ullaged-\(service).socket", "ullaged-\(service).service").line
    let socket = path(of: endpoint)
    guard !socket.hasPrefix("/var/spool/postfix/") else { return ["[ ! -d /run/systemd/system ] || \(start)"] }
    let directory = socket.prefix(through: socket.lastIndex(of: "/") ?? socket.startIndex).dropLast()
    let lines = [
      "[Unit]", "ConditionPathIsDirectory=", "ConditionPathIsDirectory=\(directory)", "[Socket]", "ListenStream=",
      "ListenStream=\(socket)",
    ]
    return setUnit("ullaged-\(service).socket", lines)
      + ["[ ! -d /run/systemd/system ] || { systemctl daemon-reload && \(start); }"]
  }

  /// Where Postfix looks for a Unix socket.
  func path(of endpoint: String) -> String { survey.socket(of: endpoint) ?? endpoint }

  /// The commands that give a unit of systemd settings of this site.
  func setUnit(_ unit: String, _ lines: [String]) -> [String] {
    let directory = "/etc/systemd/system/\(unit).d"
    return [
      "mkdir -p \(directory)",
      "printf '%s\\n' \(lines.map { shellWord($0) }.joined(separator: " ")) > \(directory)/site.conf",
    ]
  }

  /// - Throws: `ConfigurationError` for a file that is invalid for Postfix, too.
  package static func plan(
    from postfix: PostfixDirectory, _ options: Options, _ survey: Survey
  ) throws(ConfigurationError) -> MigrationPlan {
    var migration = try Migration(postfix, options, survey)
    try migration.takeParameters()
    migration.takeMacros()
    try migration.write()
    try migration.findUser()
    migration.checkResult()
    try migration.explain()
    try migration.addSteps()
    try migration.addPolicySteps()
    return migration.plan
  }

  private init(
    _ postfix: PostfixDirectory, _ options: Options, _ survey: Survey
  ) throws(ConfigurationError) {
    self.postfix = postfix
    self.options = options
    self.survey = survey
    let transport = try postfix.value(of: "virtual_transport") ?? "virtual"
    let name = transport.prefix { $0 != ":" }
    service =
      postfix.master.transport(String(name)).flatMap { $0.command == "virtual" ? $0 : nil }
      ?? postfix.master.transport("virtual")
  }

  /// VDA's parameters, and those of Postfix that both need.
  private static let taken: [Parameter] = [
    .virtual_mailbox_base, .virtual_mailbox_maps, .virtual_maildir_suffix, .virtual_mailbox_limit_maps,
    .virtual_mailbox_limit, .virtual_mailbox_limit_override, .virtual_mailbox_limit_inbox, .virtual_overquota_bounce,
    .virtual_maildir_limit_message, .virtual_maildir_limit_message_maps, .virtual_trash_count, .virtual_trash_name,
    .virtual_uid_maps, .virtual_gid_maps, .virtual_minimum_uid, .virtual_maildir_extended, .virtual_maildir_filter,
    .virtual_maildir_filter_maps, .message_size_limit, .recipient_delimiter,
  ]

  /// The value as written for virtual(8), nil if it is not set.
  func written(_ name: String) -> [UInt8]? {
    service?.overrides[name].map { Array($0.utf8) } ?? postfix.main.entries[name]?.value
  }

  func written(_ parameter: Parameter) -> [UInt8]? { written(parameter.rawValue) }

  /// The effective value, expanded and unquoted; the default if it is not set.
  func value(_ parameter: Parameter) throws(ConfigurationError) -> String {
    let value = try postfix.value(of: parameter.rawValue, for: service) ?? parameter.definition.defaultText
    return ConfigurationFile.unquoted(Array(value.utf8)).text
  }

  mutating func change(_ subject: String, _ text: String) {
    plan.findings.append(Finding(.notice, .changed, in: .configuration, .init(subject), text))
  }

  mutating func difference(_ subject: String, _ text: String, remedy: Remedy? = nil) {
    plan.findings.append(Finding(.notice, .different, in: .configuration, .init(subject), text, remedy: remedy))
  }

  mutating func obstacle(_ subject: String, _ text: String, remedy: Remedy? = nil) {
    plan.findings.append(Finding(.error, .obstacle, in: .configuration, .init(subject), text, remedy: remedy))
  }

  private mutating func takeParameters() throws(ConfigurationError) {
    for parameter in Self.taken {
      let name = parameter.rawValue
      guard let value = written(parameter) else { continue }
      // Throws for a name that refers to itself, or a brace that is never closed.
      _ = try postfix.value(of: name, for: service)
      if service?.overrides[name] != nil {
        change(name, "is taken from -o in \(place(service)), which overrides main.cf")
      }
      take(parameter, value)
    }
    if written(.virtual_maildir_limit_message) == nil, let value = written("virtual_mailbox_limit_message") {
      change(
        "virtual_mailbox_limit_message", "is written as virtual_maildir_limit_message: VDA never read the other name")
      take(.virtual_maildir_limit_message, value)
    }
    plan.parameterCount = lines.count
  }

  private mutating func take(_ parameter: Parameter, _ value: [UInt8]) {
    switch parameter {
    case .virtual_maildir_filter where value.text.lowercased() != "no",
      .virtual_maildir_filter_maps where !value.isEmpty:
      change(parameter.rawValue, "is left out: there is no filter here")
    default:
      lines.append((parameter.rawValue, unquoted(parameter.rawValue, value)))
    }
  }

  private mutating func unquoted(_ name: String, _ value: [UInt8]) -> [UInt8] {
    let plain = ConfigurationFile.unquoted(value)
    guard plain != value else { return value }
    switch Parameter(rawValue: name) {
    case .virtual_trash_name:
      let counts = written(.virtual_trash_count)?.text.lowercased() == "yes"
      change(
        name,
        "the quotes around \(plain.text) were removed. "
          + (counts
            ? "It counts anyway, because virtual_trash_count is yes"
            : "For VDA they were part of the name, so \(plain.text) counted; from now on it does not, and mailboxes"
              + " shrink by what is in it"))
    case .virtual_maildir_limit_message:
      change(name, "the quotes around the text were removed; VDA showed them to the sender")
    default: change(name, "the quotes around the value were removed; for Postfix they were part of it")
    }
    return plain
  }

  /// The user-defined names and Postfix parameters that the lines refer to.
  private mutating func takeMacros() {
    var names = lines.reduce(into: Set<String>()) { $0.formUnion(Macro.names(in: $1.value)) }.sorted()
    var done = Set(lines.map(\.name))
    while let name = names.popLast() {
      // `$message_size_limit` and the like are parameters of ullage.cf with the same default.
      let parameter = Parameter(rawValue: name)
      guard !name.isEmpty, done.insert(name).inserted, parameter == nil || parameter?.isForPolicy == true
      else { continue }
      if let value = written(name) {
        macros.append((name, unquoted(name, value)))
        names += Macro.names(in: value)
      } else if name == "config_directory" {
        macros.append((name, Array(postfix.path.utf8)))
        change("$\(name)", "is defined in the new file: \(postfix.path)")
      } else if let value = survey.defaultValue(name) {
        macros.append((name, value))
        change("$\(name)", "is defined in the new file, with the value that Postfix has: \(value.text)")
      } else {
        macros.append((name, []))
        obstacle(
          "$\(name)",
          "is used but not defined: Postfix takes it for empty, and so does the new file. A spelling mistake?")
      }
    }
  }

  private mutating func write() throws(ConfigurationError) {
    let title = """
      # Ullage, mailbox quotas; see ullage.cf(5).
      # Written by "ullage migrate" from \(postfix.path).


      """
    func text(_ lines: [(name: String, value: [UInt8])]) -> [UInt8] {
      lines.flatMap { Array("\($0.name) = ".utf8) + $0.value + [UInt8(ascii: "\n")] }
    }
    macros.sort { $0.name < $1.name }
    plan.configuration = Array(title.utf8) + text(macros) + (macros.isEmpty ? [] : [UInt8(ascii: "\n")]) + text(lines)
    let copied = try policyLines()
    guard !copied.isEmpty else { return }
    plan.configuration +=
      Array("\n# Copied for the policy service, which expands aliases as Postfix does.\n".utf8) + text(copied)
  }

  /// `master.cf, line 12`
  func place(_ service: MasterService?) -> String { "master.cf, line \(service?.line ?? 0)" }

  /// Names every mistake in the new file: a line with one is left out for the next look.
  private mutating func checkResult() {
    var lines = plan.configuration.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    while true {
      do throws(ConfigurationError) {
        let checked = try Settings(ConfigurationFile(parsing: Array(lines.joined(separator: [UInt8(ascii: "\n")]))))
        if lines.joined(separator: [UInt8(ascii: "\n")]).elementsEqual(plan.configuration) { settings = checked }
        return
      } catch {
        obstacle("ullage.cf", error.message + (error.line.map { " (line \($0) of the new file)" } ?? ""))
        guard let line = error.line, lines.indices.contains(line - 1), !lines[line - 1].isEmpty else { return }
        lines[line - 1] = []
      }
    }
  }
}

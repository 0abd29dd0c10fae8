// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Postfix

/// The commands, in the order in which they are safe.
extension Migration {
  /// The user that delivers: virtual(8) has one for each mailbox, pipe(8) one for an entry.
  mutating func findUser() throws(ConfigurationError) {
    if let name = options.user {
      plan.user = name
      if CurrentProcess.user(named: name) == nil { obstacle("--user", "there is no user \(name)") }
      return
    }
    plan.user = "vmail"
    guard let number = try fixedNumber(.virtual_uid_maps) else {
      if let maps = written(.virtual_uid_maps), !maps.isEmpty {
        obstacle(
          "virtual_uid_maps",
          "gives each mailbox a user (\(maps.text)), and pipe(8) has one for an entry of master.cf. Make an entry for each"
            + " uid, or give all Maildirs to one user and say --user")
      } else if CurrentProcess.user(named: plan.user) == nil {
        obstacle(
          "virtual_uid_maps", "is not set, and there is no user vmail; say with --user whom the Maildirs belong to")
      }
      return
    }
    guard let user = CurrentProcess.user(number) else {
      return obstacle(
        "virtual_uid_maps",
        "no user has the number \(number), and pipe(8) needs a name. Make one: useradd -r -u \(number) -M -s"
          + " /usr/sbin/nologin vmail")
    }
    plan.user = user.name
    guard let group = try fixedNumber(.virtual_gid_maps), group != user.group else { return }
    guard let name = CurrentProcess.groupName(group) else {
      return obstacle("virtual_gid_maps", "no group has the number \(group). Make one: groupadd -g \(group) vmail")
    }
    plan.user = "\(user.name):\(name)"
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
    let (postfixOption, reload) = (postfix.option, "postfix\(postfix.option) reload")
    let config = options.configurationFile == Ullage.configurationFile ? "" : " --config=\(options.configurationFile)"
    try addReadingSteps()
    let entry =
      "\(name) unix - n n - 20 pipe -o soft_bounce=yes flags=DORXhu user=\(plan.user) null_sender="
      + " argv=/usr/libexec/ullage/ullage-deliver\(config) --sender=${sender} --recipient=${recipient}"
      + " --original-recipient=${original_recipient} --queue-id=${queue_id} --size=${size}"
    plan.steps.append(
      .init(
        "Add the transport. For the first days soft_bounce makes a deferral of every refusal.",
        [
          "postconf\(postfixOption) -M \(name)/unix='\(entry)'",
          "postconf\(postfixOption) -e \(name)_destination_recipient_limit=1", reload,
        ]))
    let directory = postfix.path == PostfixDirectory.usual ? "" : " --postfix=\(postfix.path)"
    plan.steps.append(.init("Let the doctor look at it.", ["ullage check\(config)\(directory)"]))
    plan.steps.append(
      .init(
        "Switch over, and watch the log.", ["postconf\(postfixOption) -e virtual_transport=\(name)", reload]))
    plan.steps.append(
      .init(
        "Count each mailbox once: VDA's figures drift, and those of mailboxes without a limit are invented.",
        ["ullage recompute\(config) --all"]))
    plan.steps.append(
      .init(
        "Some days later, let refusals be refusals.", ["postconf\(postfixOption) -PX \(name)/unix/soft_bounce", reload])
    )
    let old = try postfix.value(of: "virtual_transport") ?? "virtual"
    let isSet = postfix.main.entries["virtual_transport"] != nil
    plan.wayBack = .init(
      "The way back. The Maildirs stay as they are; main.cf still has VDA's lines.",
      [
        isSet
          ? "postconf\(postfixOption) -e virtual_transport=\(old)" : "postconf\(postfixOption) -X virtual_transport",
        reload,
      ])
  }

  private mutating func addReadingSteps() throws(ConfigurationError) {
    let name = plan.user.split(separator: ":").first.map(String.init) ?? plan.user
    guard let user = CurrentProcess.user(named: name) else { return }
    let files = try tables().compactMap { table -> String? in
      let plain = table.behindProxy
      guard plain.name.first == UInt8(ascii: "/"), plain.type != "static" else { return nil }
      // What postmap(1) has made of the text.
      let endings = ["hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"]
      return plain.name.text + (endings[plain.type] ?? "")
    }
    let closed = survey.closed(files, to: user)
    var commands = closed.directories.map { "setfacl -m u:\(user.name):x \($0)" }
    commands += closed.files.isEmpty ? [] : ["setfacl -m u:\(user.name):r \(closed.files.joined(separator: " "))"]
    guard !commands.isEmpty else { return }
    plan.steps.append(
      .init(
        "Let \(user.name), and nobody else, read the tables (or run the lookup service, ullaged(8), which reads them for him).",
        commands))
  }
}

// SPDX-License-Identifier: Apache-2.0
import Text

/// The settings that `doveconf -n` prints, for Dovecot 2.3 and 2.4: names, prefixed with those of the
/// enclosing blocks (`plugin/quota`, `quota User quota/driver`), and values.
package struct DovecotSettings {
  private var values: [(name: String, value: String)] = []

  package init(parsing text: String) {
    var blocks: [String] = []
    for raw in text.split(separator: "\n") {
      let line = raw.drop { $0 == " " || $0 == "\t" }
      if line.hasPrefix("#") { continue }
      if line.hasSuffix("{") {
        // Since 2.4 the name of a block may be in quotes.
        blocks.append(line.dropLast().replacing("\"", with: "").trimmed)
      } else if line.trimmed == "}" {
        _ = blocks.popLast()
      } else if let equals = line.firstIndex(of: "=") {
        let name = line[..<equals].trimmed
        values.append(((blocks + [name]).joined(separator: "/"), line[line.index(after: equals)...].trimmed))
      }
    }
  }

  private subscript(name: String) -> String? { values.last { $0.name == name }?.value }

  /// The settings whose names meet a condition.
  func values(where condition: (String) -> Bool) -> [(name: String, value: String)] {
    values.filter { condition($0.name) }
  }

  /// Whether Dovecot's quota plugin is loaded.
  package var hasQuota: Bool { loads("quota") }

  func loads(_ plugin: String) -> Bool {
    values.contains { name, value in
      name.split(separator: "/").last == "mail_plugins" && Self.has(plugin, value)
        || name.hasSuffix("mail_plugins/\(plugin)") && value == "yes"
    }
  }

  /// Whether the quota plugin is among the words of a value of 2.3's mail_plugins.
  static func loadsQuota(_ value: String) -> Bool { has("quota", value) }

  private static func has(_ plugin: String, _ value: String) -> Bool {
    value.split { " \"\n".contains($0) }.contains(plugin[...])
  }

  /// Lines that make 2.3 load the quota plugin for protocols: for all, and in blocks that have plugins of their own,
  /// such as `protocol imap { }` and `protocol !lda { }`.
  package func pluginLines(for protocols: [String]) -> [String] {
    guard !protocols.isEmpty else { return [] }
    let lacking = values { $0 == "mail_plugins" || $0.hasPrefix("protocol ") && $0.hasSuffix("/mail_plugins") }
      .filter { !Self.loadsQuota($0.value) }.map(\.name)
    let blocks = lacking.map { $0.split(separator: "/")[0] }.filter { block in
      block.hasPrefix("protocol !") || protocols.contains { block == "protocol \($0)" }
    }
    return
      (lacking.contains("mail_plugins") || self["mail_plugins"] == nil ? ["mail_plugins = $mail_plugins quota"] : [])
      + blocks.flatMap { ["\($0) {", "  mail_plugins = $mail_plugins quota", "}"] }
  }

  /// The quota drivers: `maildir`, `count` and so on; empty if 2.3's plugin has no root and so does nothing.
  package var quotaDrivers: [String] {
    let old = values { $0 == "plugin/quota" || $0.wholeMatch(of: #/plugin/quota[0-9]+/#) != nil }
      .map { String($0.value.prefix { $0 != ":" }) }
    let new = values { $0.hasPrefix("quota ") && ($0.hasSuffix("/driver") || $0.hasSuffix("/quota_driver")) }.map(
      \.value)
    let global = self["quota_driver"].map { [$0] } ?? []
    let found = old + new + global
    let isNew = values.contains { $0.name.hasPrefix("quota ") } || self["dovecot_config_version"] != nil
    return found.isEmpty && isNew ? ["count"] : found
  }

  /// The blocks of shared and public namespaces: other Maildirs, which have separate quotas, if any.
  private var foreignBlocks: [String] {
    values { $0.hasPrefix("namespace ") && $0.hasSuffix("/type") }.filter { $0.value != "private" }
      .map { String($0.name.dropLast("type".count)) }
  }

  /// Where the user's own mail is: the location of a private namespace, or `mail_location`.
  private var location: String? {
    let own = values { name in
      name.hasPrefix("namespace ") && name.hasSuffix("/location") && !foreignBlocks.contains { name.hasPrefix($0) }
    }
    return own.map(\.value).last { !$0.isEmpty } ?? self["mail_location"]
  }

  /// An option after the format in `mail_location`: `CONTROL=…`, `LAYOUT=…`.
  private func locationOption(_ name: String) -> String? {
    location?.split(separator: ":").first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
  }

  /// A setting of 2.4, global or in a private namespace.
  private func own(_ setting: String) -> String? {
    values { name in
      name == setting
        || name.hasPrefix("namespace ") && name.hasSuffix("/\(setting)")
          && !foreignBlocks.contains { name.hasPrefix($0) }
    }.last { !$0.value.isEmpty }?.value
  }

  /// `maildir`, `mbox`, `mdbox` and so on; nil if Dovecot has to guess.
  package var mailFormat: String? {
    own("mail_driver") ?? location.flatMap { $0.contains(":") ? String($0.prefix { $0 != ":" }) : nil }
  }

  /// The directory of `maildirsize`, nil for the Maildir.
  package var controlDirectory: String? { own("mail_control_path") ?? locationOption("CONTROL") }

  /// `fs` puts folders into directories without a leading dot, which are not Maildir++ folders.
  package var layout: String? { own("mailbox_list_layout") ?? locationOption("LAYOUT") }

  /// Folders below these do not count either (`Trash/*`).
  package var uncountedParents: [String] {
    allUncounted.filter { $0.hasSuffix(".*") }.map { String($0.dropLast(2)) }
  }

  /// Whether Dovecot lists mailboxes from its index, as 2.3 and 2.4 do by default: then its recount includes folders
  /// that are symlinks.
  var listsByIndex: Bool { self["mailbox_list_index"] != "no" }

  /// The directories of the folders that do not count: `.Trash`.
  package var uncountedFolders: [String] { allUncounted.filter { !$0.contains("*") } }

  /// The numbers of the rules of 2.3's first root: 1 is `quota_rule`, 2 is `quota_rule2`, and so on. Dovecot reads them
  /// in this order, and stops at the first that is missing; the userdb may set any of them for each user.
  private var ruleNumbers: [Int] {
    values { $0.hasPrefix("plugin/quota_rule") }.compactMap { entry in
      let number = entry.name.dropFirst("plugin/quota_rule".count)
      return number.isEmpty ? 1 : Int(number).flatMap { $0 > 1 ? $0 : nil }
    }
  }

  private var firstMissingNumber: Int {
    var number = 1
    while ruleNumbers.contains(number) { number += 1 }
    return number
  }

  private static func rule(_ number: Int) -> String { number == 1 ? "quota_rule" : "quota_rule\(number)" }

  /// The first rule that is not set.
  package var firstMissingRule: String { Self.rule(firstMissingNumber) }

  /// The rules after the first that is not set.
  package var rulesBehindGap: [String] { ruleNumbers.filter { $0 > firstMissingNumber }.map(Self.rule) }

  private var allUncounted: [String] {
    let old = values { $0.wholeMatch(of: #/plugin/quota_rule[0-9]*/#) != nil }.compactMap { entry -> String? in
      let parts = entry.value.split(separator: ":")
      return parts.count >= 2 && parts[1...].contains("ignore") ? String(parts[0]) : nil
    }
    let new = values { $0.hasSuffix("/quota_ignore") }.filter { $0.value == "yes" }.compactMap { entry in
      entry.name.split(separator: "/").last { $0.hasPrefix("mailbox ") }.map { String($0.dropFirst("mailbox ".count)) }
    }
    let prefixes = values { $0.hasPrefix("namespace") && $0.hasSuffix("/prefix") }.map(\.value).filter { !$0.isEmpty }
    return (old + new).map { folder in
      let plain = prefixes.first { folder.hasPrefix($0) }.map { String(folder.dropFirst($0.count)) } ?? folder
      return "." + ModifiedUTF7.encode(plain.replacing(separator, with: "."))
    }
  }

  /// The block of the namespace with the inbox.
  package var inboxBlock: String? {
    values { $0.hasPrefix("namespace ") && $0.hasSuffix("/inbox") }.last { $0.value == "yes" }
      .map { String($0.name.dropLast("/inbox".count)) }
  }

  private func inboxSetting(_ name: String) -> String? {
    guard let block = inboxBlock else { return nil }
    return values { $0 == "\(block)/\(name)" }.last { !$0.value.isEmpty }?.value
  }

  /// Between the levels of a mailbox's name.
  private var separator: String { inboxSetting("separator") ?? "." }

  /// Dovecot's name for the mailbox in a directory such as `.Trash.Old`: with the namespace's separator and, for a rule
  /// of 2.3, its prefix, and not in modified UTF-7. 2.4 names a mailbox within its namespace.
  package func mailbox(inDirectory directory: String) -> String {
    let name = directory.dropFirst()
    return (isNew ? "" : inboxSetting("prefix") ?? "")
      + (ModifiedUTF7.decode(String(name)) ?? String(name)).replacing(".", with: separator)
  }

  /// Dovecot 2.4's syntax.
  var isNew: Bool { self["dovecot_config_version"] != nil }

  private static let maxFilled = 50

  /// Lines for `plugin { }` of 2.3 that leave `mailboxes` out of the quota, and no rule behind a gap: with or without a
  /// `quota_rule` from the userdb, which takes the place of the first rule.
  package func rules(ignoring mailboxes: [String]) -> [String] {
    var wanted = mailboxes.map { "\($0):ignore" }
    if firstMissingNumber == 1 { wanted += wanted.prefix(1) }
    let emptyNumbers = min((ruleNumbers.max() ?? 0) - Set(ruleNumbers).count, Self.maxFilled)
    // Dovecot accepts a rule that is there several times.
    if let filling = rulesBehindGap.first.flatMap({ self["plugin/\($0)"] }), emptyNumbers > wanted.count {
      wanted += Array(repeating: filling, count: emptyNumbers - wanted.count)
    }
    return zip((1...).lazy.filter { !ruleNumbers.contains($0) }, wanted).map { "\(Self.rule($0)) = \($1)" }
  }
}

extension Substring {
  fileprivate var trimmed: String {
    var text = self
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return String(text.drop { $0 == " " || $0 == "\t" })
  }
}

extension String {
  fileprivate var trimmed: String { self[...].trimmed }
}

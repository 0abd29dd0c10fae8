// SPDX-License-Identifier: Apache-2.0

/// The settings that `doveconf -n` prints, of Dovecot 2.3 and 2.4: a name with the names of the blocks around it, and a
/// value (`plugin/quota`, `quota User quota/driver`).
package struct DovecotSettings {
  private var values: [(name: String, value: String)] = []

  package init(parsing text: String) {
    var blocks: [String] = []
    for raw in text.split(separator: "\n") {
      let line = raw.drop { $0 == " " || $0 == "\t" }
      if line.hasPrefix("#") { continue }
      if line.hasSuffix("{") {
        // The name of a block may stand in quotes since 2.4.
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

  /// Those whose name fulfils a condition.
  private func values(where condition: (String) -> Bool) -> [(name: String, value: String)] {
    values.filter { condition($0.name) }
  }

  /// Whether Dovecot keeps quotas at all.
  package var hasQuota: Bool {
    values.contains { name, value in
      name.split(separator: "/").last == "mail_plugins"
        && value.replacing("\"", with: "").split(separator: " ").contains("quota")
        || name.hasSuffix("mail_plugins/quota") && value == "yes"
    }
  }

  /// What keeps them: `maildir`, `count` and so on; the default where none is named.
  package var quotaDrivers: [String] {
    let old = values { $0 == "plugin/quota" || $0.wholeMatch(of: #/plugin/quota[0-9]+/#) != nil }
      .map { String($0.value.prefix { $0 != ":" }) }
    let new = values { $0.hasPrefix("quota ") && ($0.hasSuffix("/driver") || $0.hasSuffix("/quota_driver")) }.map(
      \.value)
    let global = self["quota_driver"].map { [$0] } ?? []
    let found = old + new + global
    return found.isEmpty ? ["count"] : found
  }

  /// The options behind the mailbox format of `mail_location`: `CONTROL=…`, `LAYOUT=…`.
  private func locationOption(_ name: String) -> String? {
    values { $0 == "mail_location" || $0.hasSuffix("/location") }.compactMap { entry in
      entry.value.split(separator: ":").first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
    }.first
  }

  /// Where `maildirsize` lies, nil for the Maildir.
  package var controlDirectory: String? {
    self["mail_control_path"].flatMap { $0.isEmpty ? nil : $0 } ?? locationOption("CONTROL")
  }

  /// `fs` puts folders into directories without a dot, which are no Maildir++ folders.
  package var layout: String? { self["mailbox_list_layout"] ?? locationOption("LAYOUT") }

  /// The directories of the folders that do not count: `.Trash`.
  package var uncountedFolders: [String] {
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
      return "." + plain.replacing("/", with: ".")
    }
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

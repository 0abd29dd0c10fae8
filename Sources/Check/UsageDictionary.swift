// SPDX-License-Identifier: Apache-2.0

/// A dictionary to which Dovecot writes the usage of a mailbox whenever it changes.
package struct UsageDictionary: Equatable {
  /// Where the tables are named.
  package enum Tables: Equatable {
    case named([String])
    /// A file of Dovecot 2.3 with `map { }` blocks.
    case inFile(String)
  }

  /// The setting that makes Dovecot write.
  package let setting: String
  package let tables: Tables
}

extension DovecotSettings {
  /// The quota driver `dict` of 2.3, and the plugin `quota_clone` of 2.3 and 2.4.
  package var usageDictionaries: [UsageDictionary] {
    let roots = values { $0.wholeMatch(of: #/plugin/quota[0-9]*/#) != nil }.filter { $0.value.hasPrefix("dict:") }
    let clones = loads("quota_clone") ? values { $0 == "plugin/quota_clone_dict" } : []
    let old = (roots + clones).compactMap { entry -> UsageDictionary? in
      guard let file = dictionaryFile(entry.value) else { return nil }
      return UsageDictionary(setting: String(entry.name.dropFirst("plugin/".count)), tables: .inFile(file))
    }
    let tables = values {
      $0.contains("dict_map priv/quota/")
        && ["sql_table", "dict_map_sql_table"].contains($0.split(separator: "/").last)
    }.map(\.value)
    guard isNew, loads("quota_clone"), !tables.isEmpty else { return old }
    return old + [UsageDictionary(setting: "quota_clone", tables: .named(tables))]
  }

  /// The tables of a file with `map { }` blocks.
  var mapTables: [String] { values { $0 == "map/table" }.map(\.value) }

  /// `proxy::NAME` leads to `dict { NAME = pgsql:FILE }`. Nil for a dictionary that is not in SQL.
  private func dictionaryFile(_ address: String) -> String? {
    let name = address.split(separator: ":").last.map(String.init) ?? ""
    let whole = address.contains("proxy:") ? values { $0 == "dict/\(name)" }.last?.value ?? "" : address
    guard let kind = ["pgsql:", "mysql:", "sqlite:"].first(where: { whole.contains($0) }),
      let range = whole.firstRange(of: kind)
    else { return nil }
    return String(whole[range.upperBound...])
  }
}

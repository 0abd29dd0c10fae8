// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Site
import Text

/// A Dovecot that writes the usage to SQL itself: two writers would overwrite each other's figures.
package struct UsageWriter: Equatable {
  /// The setting that makes it write, and the file that says where; a clause.
  package let place: String
  /// Why it is unknown which tables it writes to; nil if it writes to ours.
  package let doubt: String?

  /// - Parameters:
  ///   - target: where we write.
  ///   - file: Dovecot's configuration; nil to look at the usual place, where there need not be one.
  /// - Returns: nil if no Dovecot on this host writes there.
  /// - Throws: `DovecotUnreadable`.
  package static func find(beside target: UsageSettings.Target, file: String?) throws(DovecotUnreadable) -> UsageWriter?
  {
    let name = file ?? Doveconf.usualFile
    guard let path = Path(name.utf8), file != nil || TableFiles.exists(name) else { return nil }
    let text: String
    do { text = try Doveconf.output(["-n", "-c", path]) } catch {
      switch error {
      // Without it there is no Dovecot either.
      case .noProgram: return nil
      case .failed(let complaint): throw DovecotUnreadable(text: "doveconf -n -c \(name): \(complaint)")
      }
    }
    for dictionary in DovecotSettings(parsing: text).usageDictionaries {
      switch dictionary.tables {
      case .named(let tables):
        if tables.contains(where: { names($0, target) }) {
          return UsageWriter(place: "\(dictionary.setting) in \(name)", doubt: nil)
        }
      case .inFile(let file):
        let place = "\(dictionary.setting) in \(name), by \(file)"
        guard let path = Path(file.utf8) else { continue }
        do {
          let map = DovecotSettings(parsing: try File.contents(of: path, limit: 1 << 20, until: .never).text)
          if map.mapTables.contains(where: { names($0, target) }) { return UsageWriter(place: place, doubt: nil) }
        } catch { return UsageWriter(place: place, doubt: error.shown) }
      }
    }
    return nil
  }

  /// Whether we write to a table that Dovecot names. In a statement of the administrator's, any of its words may be the
  /// name.
  private static func names(_ table: String, _ target: UsageSettings.Target) -> Bool {
    let own =
      switch target {
      case .nothing: [UInt8]()
      case .table(let name): name
      case .queries(let insert, let update): insert + [UInt8(ascii: " ")] + update
      }
    let words = foldCase(own).split { !$0.isNameCharacter }
    return foldCase(Array(table.utf8)).split { !$0.isNameCharacter }.last.map { words.contains($0) } ?? false
  }
}

/// Dovecot's configuration cannot be read.
package struct DovecotUnreadable: Error {
  package let text: String
}

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

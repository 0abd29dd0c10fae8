// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Site
import Text

/// Whether a Dovecot on this host writes usage to our table, too: each would overwrite the other's figures.
package enum SecondWriter: Equatable {
  /// The setting that makes it write, and the file that has it; a clause.
  case dovecot(String)
  /// Why it is unknown where Dovecot writes, and the file that should be readable.
  case unknown(String, file: String)

  /// What was seen.
  package var evidence: String {
    switch self {
    case .dovecot(let place): "Dovecot writes to that table itself (\(place))"
    case .unknown(let reason, _): "Dovecot may write to that table itself (\(reason))"
    }
  }

  /// What to do.
  ///
  /// - Parameter user: who publishes.
  package func advice(for user: String) -> String {
    switch self {
    case .dovecot: "remove that setting of Dovecot's, or usage_table"
    case .unknown(_, let file):
      "let \(user) read \(file), or, if Dovecot writes elsewhere, set usage_dovecot_file to nothing"
    }
  }

  /// - Returns: nil if there is none.
  package static func find(beside settings: UsageSettings) -> SecondWriter? {
    guard let name = settings.dovecotFile, let path = Path(name.utf8),
      settings.namesDovecotFile || TableFiles.exists(name)
    else { return nil }
    let text: String
    do { text = try Doveconf.output(["-n", "-c", path]) } catch {
      switch error {
      case .noProgram: return settings.namesDovecotFile ? .unknown("there is no doveconf", file: name) : nil
      case .failed(let complaint): return .unknown("doveconf -n -c \(name): \(complaint)", file: name)
      }
    }
    for dictionary in DovecotSettings(parsing: text).usageDictionaries {
      let place = "\(dictionary.setting) in \(name)"
      switch dictionary.tables {
      case .named(let tables):
        if tables.contains(where: { writes(settings.target, to: $0) }) { return .dovecot(place) }
      case .inFile(let file):
        guard let path = Path(file.utf8) else { continue }
        do {
          let map = DovecotSettings(parsing: try File.contents(of: path, limit: 1 << 20, until: .never).text)
          if map.mapTables.contains(where: { writes(settings.target, to: $0) }) {
            return .dovecot("\(place), by \(file)")
          }
        } catch { return .unknown("\(place) leads to a file that cannot be read: \(error.shown)", file: file) }
      }
    }
    return nil
  }

  /// Whether we write to a table of this name. In a statement of the administrator's, any of its words may be the name.
  private static func writes(_ target: UsageSettings.Target, to table: String) -> Bool {
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

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Text

/// What the unit files of systemd say of a service (systemd.unit(5)), read without systemd, which may not run.
package enum UnitFile {
  /// `User=` of a service, nil if there is no such unit, or if it runs as root.
  ///
  /// - Parameter directories: those that outrank others come first.
  package static func user(of unit: String, in directories: [String] = usual) -> String? {
    values(of: "User", in: unit, directories)?.last
  }

  /// What a setting is set to, one after the other, since an empty value last took back those before it; nil if there
  /// is no such unit.
  package static func values(of setting: String, in unit: String, _ directories: [String] = usual) -> [String]? {
    guard let file = directories.map({ "\($0)/\(unit)" }).first(where: { TableFiles.exists($0) }) else { return nil }
    var values: [String] = []
    for file in [file] + dropIns(of: unit, in: directories) {
      for value in self.values(of: setting, inFile: file) { values = value.isEmpty ? [] : values + [value] }
    }
    return values
  }

  /// The directories that `ProtectHome=yes` closes, with all below them (systemd.exec(5)).
  package static let homes = ["/home", "/root", "/run/user"]

  package static let usual = [
    "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
  ]

  /// `UNIT.d/*.conf` in the order of their names; of two with one name, the first directory's applies.
  private static func dropIns(of unit: String, in directories: [String]) -> [String] {
    var paths: [String: String] = [:]
    for directory in directories.map({ "\($0)/\(unit).d" }) {
      for name in names(in: directory) where name.hasSuffix(".conf") && paths[name] == nil {
        paths[name] = "\(directory)/\(name)"
      }
    }
    return paths.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Empty if there is no such directory.
  private static func names(in directory: String) -> [String] {
    guard let path = Path(directory.utf8) else { return [] }
    var names: [String] = []
    do {
      var listing = DirectoryListing()
      try listing.forEach(in: try File(open: path, [.directory]), size: 0) { name, _ in
        names.append(name.indices.map { name[$0] }.text)
      }
    } catch { return [] }
    return names
  }

  private static func values(of setting: String, inFile name: String) -> [String] {
    guard let path = Path(name.utf8) else { return [] }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 1 << 20, until: Deadline(secondsFromNow: 10)) } catch { return [] }
    return LogicalLine.split(text).compactMap(\.assignment).filter { $0.name.elementsEqual(setting.utf8) }
      .map { $0.value.text }
  }
}

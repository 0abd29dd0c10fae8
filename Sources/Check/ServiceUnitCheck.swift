// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// What the package's unit lets the LMTP service do: it runs as the user of that unit, not of an entry of master.cf,
/// and may write only where the unit says (systemd.exec(5)).
struct ServiceUnitCheck {
  private static let unit = "ullaged-lmtp.service"

  private let base: [UInt8]
  /// The user of the entry that runs `ullage-deliver`; nil if there is none.
  private let entryUser: String?
  private let isUsed: Bool
  private let directories: [String]
  private var found = FindingList(.postfix)

  /// - Parameters:
  ///   - base: `virtual_mailbox_base`.
  ///   - isUsed: whether Postfix sends mail to the service now.
  init(base: [UInt8], entryUser: String?, isUsed: Bool, directories: [String] = UnitFile.usual) {
    self.base = base
    self.entryUser = entryUser
    self.isUsed = isUsed
    self.directories = directories
  }

  func findings() -> [Finding] {
    var check = self
    check.checkUser()
    check.checkPlace()
    return check.found.findings
  }

  private mutating func checkUser() {
    guard let entryUser, let user = values("User")?.last,
      User(ofEntry: entryUser)?.id != User(ofEntry: user)?.id || User(ofEntry: user) == nil
    else { return }
    add(
      .mailUser, "it runs as \(user), and the entry for ullage-deliver as \(entryUser)",
      reason: "only one of the two can own the Maildirs; mail by the other way is deferred",
      remedy: "set User= there to the owner of the Maildirs")
  }

  private mutating func checkPlace() {
    guard let places = values("ReadWritePaths"), let base = Path(base) else { return }
    for directory in [base] + Self.linkedDirectories(in: base) { check(directory, places.flatMap(Self.paths)) }
  }

  private mutating func check(_ directory: Path, _ places: [String]) {
    let isClosed = values("ProtectSystem")?.last == "strict"
    let isHomeClosed = ["yes", "true", "on", "1", "tmpfs", "read-only"].contains(values("ProtectHome")?.last ?? "")
    let isHome = UnitFile.homes.contains { Self.is($0, above: directory) }
    let isWritable = places.contains { Self.is($0, above: directory) }
    guard isClosed && !isWritable || isHomeClosed && isHome else { return }
    let setting = isWritable ? "" : "ReadWritePaths=\(directory.text)"
    add(
      .lmtpUnit, "it may not write below \(directory.text)",
      reason: "a message gets 451 4.3.5: the file system is read-only",
      remedy: "set there "
        + [setting, isHomeClosed && isHome ? "ProtectHome=no" : ""].filter { !$0.isEmpty }
        .joined(separator: " and "))
  }

  /// Where the symlinks in `base` lead, such as domains on other disks; each directory once.
  private static func linkedDirectories(in base: Path) -> [Path] {
    var targets: [[UInt8]] = []
    do {
      let directory = try File(open: base, [.directory])
      var listing = DirectoryListing()
      try listing.forEach(in: directory, size: 0) { name, kind throws(SystemError) in
        guard kind == .symlink, let name = Path(name.indices.map { name[$0] }) else { return }
        let target: [UInt8]
        // One that has just gone says nothing about the others.
        do { target = try File(openat: directory, name, [.pathOnly, .noFollow]).readSymlink(name) } catch { return }
        let path = target.first == UInt8(ascii: "/") ? target : base.bytes + Array("/".utf8) + target
        let normal = normalized(path)
        if !targets.contains(normal) { targets.append(normal) }
      }
    } catch { return [] }
    return targets.compactMap { Path($0) }.filter { path in
      do { return try stat(path).kind == .directory } catch { return false }
    }
  }

  /// Without `.` and `..`: systemd ignores a path with them.
  private static func normalized(_ path: [UInt8]) -> [UInt8] {
    var parts: [ArraySlice<UInt8>] = []
    for part in path.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
      if part.elementsEqual("..".utf8) { _ = parts.popLast() } else { parts.append(part) }
    }
    return parts.flatMap { Array("/".utf8) + $0 }
  }

  private mutating func add(_ kind: FindingKind, _ text: String, reason: String, remedy: String) {
    found.add(
      isUsed ? .error : .warning, kind, text, at: Self.unit, reason: reason,
      remedy: .advice("\(remedy) (systemctl edit \(Self.unit)), and restart it"))
  }

  private func values(_ setting: String) -> [String]? { UnitFile.values(of: setting, in: Self.unit, directories) }

  /// The paths of a value: words, perhaps in double quotes, with `-` or `+` before them.
  private static func paths(_ value: String) -> [String] {
    value.matches(of: #/"([^"]*)"|([^" ]+)/#).map { match in
      String((match.1 ?? match.2 ?? "").drop { $0 == "-" || $0 == "+" })
    }.filter { !$0.split(separator: "/").contains("..") }
  }

  /// Whether `path` is `place` or below it, symlinks followed.
  private static func `is`(_ place: String, above path: Path) -> Bool {
    guard let top = Path(place.utf8) else { return false }
    do {
      let wanted = try stat(top).identity
      var directory = try File(open: path, [.pathOnly, .directory])
      var identity = try directory.fstat(path).identity
      while identity != wanted {
        directory = try File(openat: directory, "..", [.pathOnly, .directory])
        let parent = try directory.fstat("..").identity
        // The root is its own parent.
        if parent == identity { return false }
        identity = parent
      }
      return true
    } catch { return false }
  }
}

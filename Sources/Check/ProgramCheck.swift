// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Foundation
import Posix
import Site
import Text

/// The program that an entry runs.
struct ProgramCheck {
  private let entry: Entry
  private var found = FindingList(.postfix)

  init(_ entry: Entry) {
    self.entry = entry
  }

  func findings() -> [Finding] {
    var check = self
    check.run()
    return check.found.findings
  }

  private mutating func run() {
    guard let name = entry.service.program.first, let path = Path(name.utf8) else { return }
    let user = User(ofEntry: entry.service.attributes["user"] ?? "")
    let isBlind = CurrentProcess.effectiveUser != 0 && CurrentProcess.effectiveUser != user?.id
    guard isBlind || (user?.acting { isAllowed(.execution, to: path) } ?? isAllowed(.execution, to: path)) else {
      return found.add(
        .error, .program, "\(name) is missing, or the mail user may not run it", at: entry.place,
        reason: "every message is deferred", remedy: .advice("install it with mode 755, or correct argv= in the entry"))
    }
    // A symlink may lead to a directory that is not above its own name.
    let target = URL(fileURLWithPath: name).resolvingSymlinksInPath().path
    if CurrentProcess.effectiveUser == 0,
      let stranger = Self.stranger(above: path)
        ?? Path(target.utf8).flatMap({ Self.stranger(above: $0) })
    {
      found.add(
        .warning, .program, "users other than root may write to \(stranger)", at: entry.place,
        reason: "they could replace the program that gets all mail",
        remedy: stranger == name || stranger == target || stranger == "/"
          || Self.safePlace.hasPrefix(stranger + "/")
          ? .run(.chown("root", stranger), .chmod("go-w", stranger)) : installed(target))
    }
    // Without the mail user it is not known how pipe(8) would start it; its absence is reported.
    let isRoot = CurrentProcess.effectiveUser == 0
    guard !isRoot || user.map({ $0.id != 0 && $0.credentials.canAct }) == true else { return }
    guard !isRoot || isAllowed(.execution, to: Self.setpriv) else {
      return found.skip("whether \(name) starts", because: "there is no \(Self.setpriv.text)")
    }
    guard let version = Self.version(of: path, as: isRoot ? user : nil) else {
      return found.add(
        .error, .program, "\(name) does not start", at: entry.place,
        reason: "a program that lacks a library ends with 127, and pipe(8) bounces the message",
        remedy: .run(Command("ldd", name)))
    }
    if !version.hasSuffix(" \(Ullage.version)") {
      found.add(
        .warning, .program, "\(name) is \(version), but this is ullage \(Ullage.version)", at: entry.place,
        reason: "both read the same configuration", remedy: .advice("install both from one package"))
    }
  }

  private static let setpriv: Path = "/usr/bin/setpriv"

  private static let safePlace = "/usr/local/libexec/ullage/ullage-deliver"

  /// A copy where only root may write, instead of the rights of somebody's home.
  private func installed(_ program: String) -> Remedy {
    .run([Command("install", "-D", "-m", "755", program, Self.safePlace)] + entry.commands(running: Self.safePlace))
  }

  /// The program, or a directory above it, if users other than root may change it; nil if there is none.
  private static func stranger(above path: Path) -> String? {
    var name = path.text
    while true {
      guard let path = Path((name.isEmpty ? "/" : name).utf8) else { return name }
      let status: FileStatus
      do { status = try stat(path) } catch { return name }
      // In a sticky directory, other users cannot rename root's files.
      let isOpen = status.permissions & 0o022 != 0 && status.permissions & 0o1000 == 0
      if status.owner != 0 || isOpen { return name.isEmpty ? "/" : name }
      guard let slash = name.lastIndex(of: "/"), !name.isEmpty else { return nil }
      name = String(name[..<slash])
    }
  }

  /// What `--version` prints, nil if the program does not start.
  ///
  /// - Parameter user: whose rights it gets, as from pipe(8), by setpriv(1); nil for our own. An effective user that is
  ///   set by this process alone would leave it the way back to root.
  private static func version(of program: Path, as user: User?) -> String? {
    var words: [Path] = [program, "--version"]
    if let user {
      let ids = ["--reuid=\(user.id)", "--regid=\(user.group)"].compactMap { Path($0.utf8) }
      words = [setpriv] + ids + ["--clear-groups", "--no-new-privs"] + words
    }
    let ending: ChildProcess.Ending
    do {
      ending = try ChildProcess.run(
        words[0], Array(words.dropFirst()), limit: 4096, until: Deadline(secondsFromNow: 10))
    } catch { return nil }
    return ending.status == 0 ? ending.output.split(separator: UInt8(ascii: "\n")).first?.text : nil
  }
}

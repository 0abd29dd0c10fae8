// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota
import Text

/// Counts a Maildir by several rules in one walk: each directory is listed once, whatever the number of rules.
///
/// It is for explaining a total, so a directory that cannot be read adds nothing, and changes meanwhile do not matter.
struct RuleComparison: ~Copyable {
  private let maildir: Maildir
  private let rules: [CountingRule]
  private let deadline: Deadline
  private var listing = DirectoryListing()
  /// What each rule gives; nil for one that refuses this Maildir.
  private(set) var usages: [QuotaUsage?]
  /// Where each rule has searched for folders: a symlink may lead back there.
  private var searched: [Set<FileIdentity>]

  /// - Throws: `countUnfinished` after `deadline`.
  init(of maildir: Maildir, _ rules: [CountingRule], until deadline: Deadline) throws(MaildirError) {
    self.maildir = maildir
    self.rules = rules
    self.deadline = deadline
    usages = rules.map { _ in QuotaUsage.none }
    searched = rules.map { _ in [] }
    try visit(".", Array(rules.indices))
  }

  /// - Parameter members: the rules by which this folder counts, by their indices.
  private mutating func visit(_ folder: Path, _ members: [Int]) throws(MaildirError) {
    if deadline.hasPassed { throw .countUnfinished }
    let isInbox = folder == "."
    let members = unvisited(folder, members)
    for part in [Path("new"), "cur", "tmp"] {
      let counting = members.filter { rules[$0].profile.holdsMessages(part.bytes.span) }
      do throws(SystemError) { try count(isInbox ? part : folder.appending(part), counting, isInbox: isInbox) } catch {
        guard error.number != Errno.ETIMEDOUT else { throw .countUnfinished }
      }
    }
    let searching = members.filter { isInbox ? !rules[$0].inboxOnly : rules[$0].profile.nests }
    var found: [(path: Path, members: [Int])] = []
    // What cannot be listed has no folders.
    do throws(SystemError) { found = try folders(in: folder, searching) } catch {}
    for (path, members) in found { try visit(path, members) }
  }

  /// The members for which this is no way back to where they have been; only those that nest can come back.
  private mutating func unvisited(_ folder: Path, _ members: [Int]) -> [Int] {
    let status: FileStatus?
    // Where it leads is what counts.
    do { status = try maildir.directory.fstatatIfThere(folder, following: true) } catch { return members }
    guard let identity = status?.identity else { return members }
    return members.filter { !rules[$0].profile.nests || searched[$0].insert(identity).inserted }
  }

  private mutating func folders(
    in folder: Path, _ members: [Int]
  ) throws(SystemError) -> [(path: Path, members: [Int])] {
    guard !members.isEmpty else { return [] }
    let directory = try File(openat: maildir.directory, folder, [.directory])
    let status = try directory.fstat(folder)
    let rules = rules
    var names: [Path] = []
    try listing.forEach(in: directory, size: status.size) { name, kind in
      guard kind != .regular, kind != .other, members.contains(where: { rules[$0].profile.isFolder(name) }),
        let name = Path(Array(copying: name))
      else { return }
      names.append(name)
    }
    var found: [(path: Path, members: [Int])] = []
    for name in names {
      let path = folder == "." ? name : folder.appending(name)
      guard let kind = try maildir.directory.fstatatIfThere(path)?.kind else { continue }
      let holders = members.filter { member in
        let rule = rules[member]
        return rule.profile.isFolder(name.bytes.span) && !rule.leavesOut(Array(name.bytes))
          && (kind == .directory || kind == .symlink && rule.profile.countsLinkedFolders)
      }
      if !holders.isEmpty { found.append((path: path, members: holders)) }
    }
    return found
  }

  private mutating func count(_ path: Path, _ members: [Int], isInbox: Bool) throws(SystemError) {
    guard !members.isEmpty, let kind = try maildir.directory.fstatatIfThere(path)?.kind else { return }
    var members = members
    if kind == .symlink {
      for member in members where isInbox && !rules[member].profile.followsSymlinks { usages[member] = nil }
      members.removeAll { !rules[$0].profile.followsSymlinks }
    }
    guard kind == .directory || kind == .symlink, !members.isEmpty else { return }
    let directory = try File(openat: maildir.directory, path, [.directory])
    let counting = members.map { (member: $0, rule: rules[$0]) }
    let limit = deadline
    var sums = usages.map { _ in QuotaUsage.none }
    try listing.forEach(in: directory, size: try directory.fstat(path).size) { (name, kind) throws(SystemError) in
      var known: (plain: FileStatus??, followed: FileStatus??) = (nil, nil)
      for (member, rule) in counting {
        let bytes = try rule.bytes(ofMessage: name, kind) { follows throws(SystemError) in
          if let status = follows ? known.followed : known.plain { return status }
          try limit.check()
          guard let path = Path(Array(copying: name)) else { return nil }
          let status = try directory.fstatatIfThere(path, following: follows)
          if follows { known.followed = .some(status) } else { known.plain = .some(status) }
          return status
        }
        if let bytes { sums[member] += QuotaUsage(bytes: bytes, messages: 1) }
      }
    }
    for (member, _) in counting { usages[member]? += sums[member] }
  }
}

extension CountingRule {
  /// What an entry of `new/` or `cur/` adds, in bytes; nil if it does not count.
  ///
  /// - Parameter status: gives the file's status, of a symlink's target if the argument is true; nil if it has
  ///   vanished. It is called only if the name and the kind do not say enough.
  func bytes(
    ofMessage name: Span<UInt8>, _ kind: FileKind, status: (Bool) throws(SystemError) -> FileStatus?
  ) throws(SystemError) -> Int64? {
    guard profile.counts(name), countsTrashed || !MessageFileName.isTrashed(name) else { return nil }
    guard profile.countsEveryKind || kind == .regular || kind == .unknown || kind == .symlink && profile == .vda
    else { return nil }
    let bytes = profile.size(in: name)
    guard bytes != nil || countsUnsized else { return nil }
    if let bytes, kind != .unknown || profile.countsEveryKind { return bytes }
    guard let status = try status(profile.followsSymlinks) else { return nil }
    guard profile.countsEveryKind || status.kind == .regular else { return nil }
    return bytes ?? (profile.sharesLinks ? status.size / max(1, status.links) : status.size)
  }
}

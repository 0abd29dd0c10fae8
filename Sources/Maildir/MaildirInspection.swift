// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota
import Text

/// What a look at a Maildir shows without counting its messages: a dozen system calls. Nothing is written, no lock is
/// taken.
package struct MaildirInspection: Sendable {
  package let ledger: Result<LedgerContents, LedgerFault>
  /// In the ledger's first line, although its other lines may be of no use.
  package let headerLimit: QuotaLimit?
  /// Of the ledger's last change, nil when there is none to read.
  package let ledgerModified: Timestamp?
  /// Sentences on files whose owner or mode keeps a program of the mail user from its work, or lets others in.
  package private(set) var wrongRights: [String] = []
  /// `maildirfolder` in the Maildir itself sends Courier's programs to the directory above it.
  package let hasFolderMark: Bool

  /// - Throws: `wrongOwner` when the Maildir is not `owner`'s, `missing` when it or a part of it is not there.
  package init(
    _ finder: inout MaildirFinder, base: Path, components: [Path], owner: UInt32, limit: QuotaLimit
  ) throws(MaildirError) {
    let directory = try finder.open(base: base, components: components)
    var parts: [(name: Path, status: FileStatus)] = []
    let status: FileStatus
    do throws(SystemError) {
      status = try directory.fstat()
      hasFolderMark = try directory.fstatatIfThere("maildirfolder") != nil
      for name in [Path("new"), "cur", "tmp"] {
        if let status = try directory.fstatatIfThere(name) { parts.append((name, status)) }
      }
    } catch { throw .system(error) }
    guard status.owner == owner else { throw .wrongOwner(status.owner) }
    // A missing tmp/ is made by the next delivery.
    for name in [Path("new"), "cur"] where !parts.contains(where: { $0.name == name }) {
      throw .missing(Array(name.bytes))
    }
    for (name, status) in parts where status.kind != .directory {
      throw status.kind == .symlink ? .symlinkInside(Array(name.bytes)) : .notADirectory(Array(name.bytes))
    }
    var ledger = Ledger(limit: limit)
    ledger.readsSnapshots = true
    let reading = try ledger.readUnlocked(in: directory)
    self.ledger = reading.map(\.contents)
    headerLimit = ledger.headerLimit
    var hasLedgerDirectory = false
    ledgerModified = ledger.statusWhenOpened?.modified
    do {
      // One that could not be opened: most likely root's.
      if let status = ledger.statusWhenOpened {
        parts.append((Ledger.name, status))
      } else if reading.isUnreadable, let status = try directory.fstatatIfThere(Ledger.name) {
        parts.append((Ledger.name, status))
      }
      if reading.isNoFile, try directory.fstatatIfThere(Ledger.name)?.kind == .directory { hasLedgerDirectory = true }
    } catch { throw .system(error) }
    guard !hasLedgerDirectory else { throw .ledgerIsDirectory }
    wrongRights = Self.wrongRights(ofMaildir: status)
    for (name, status) in parts { wrongRights += Self.wrongRights(of: name, status, owner) }
  }

  private static func wrongRights(ofMaildir status: FileStatus) -> [String] {
    let mode = String(status.permissions, radix: 8)
    return (status.permissions & 0o002 != 0 ? ["everybody may write to the Maildir, mode \(mode)"] : [])
      + (status.permissions & 0o700 != 0o700 ? ["the Maildir has mode \(mode), its owner needs rwx"] : [])
  }

  private static func wrongRights(of name: Path, _ status: FileStatus, _ owner: UInt32) -> [String] {
    let mode = String(status.permissions, radix: 8)
    let needed: UInt32 = status.kind == .directory ? 0o700 : 0o600
    if status.owner != owner {
      return [
        "\(name.text) belongs to \(CurrentProcess.userName(status.owner)), not to \(CurrentProcess.userName(owner))"
      ]
    }
    if status.permissions & needed != needed { return ["\(name.text) has mode \(mode), its owner cannot use it"] }
    return status.permissions & 0o002 != 0 ? ["everybody may write to \(name.text), mode \(mode)"] : []
  }
}

extension Result where Failure == LedgerFault {
  fileprivate var isNoFile: Bool { if case .failure(.notAFile) = self { true } else { false } }
  fileprivate var isUnreadable: Bool { if case .failure(.unreadable) = self { true } else { false } }
}

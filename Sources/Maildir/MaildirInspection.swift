// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// The state of a Maildir, found in a dozen system calls without counting its messages. Nothing is written,
/// and no lock is taken.
package struct MaildirInspection: Sendable {
  package let ledger: LedgerReading
  /// The time of the ledger's last change, nil if there is no readable ledger.
  package let ledgerModified: Timestamp?
  /// The last change of the ledger, `new/` and `cur/` or their inodes. The change of a ledger alone may not survive a
  /// power cut (btrfs), but the directory of a delivered message is synced.
  package let lastChange: Timestamp
  /// The file system of the Maildir.
  package let device: UInt64
  package let rightsFaults: [RightsFault]
  /// Whether the Maildir contains `maildirfolder`, which sends Courier's programs to the parent directory.
  package let hasFolderMark: Bool

  /// - Throws: `wrongOwner` if the Maildir is not `owner`'s, `missing` if it or a part of it does not exist.
  package static func look(
    _ finder: inout MaildirFinder, base: Path, components: [Path], owner: UInt32, limit: QuotaLimit
  ) throws(MaildirError) -> MaildirInspection {
    let directory = try finder.open(base: base, components: components)
    let status: FileStatus
    let hasFolderMark: Bool
    do {
      status = try directory.fstat()
      hasFolderMark = try directory.fstatatIfThere("maildirfolder") != nil
    } catch { throw .system(error) }
    guard status.owner == owner else { throw .wrongOwner(status.owner) }
    let parts = try parts(of: directory)
    let (reading, ledgerStatus) = try ledger(in: directory, limit)
    var faults = [RightsFault(.maildir, status, owner: owner)]
    faults += parts.map { RightsFault($0.part, $0.status, owner: owner) }
    if let ledgerStatus { faults.append(RightsFault(.ledger, ledgerStatus, owner: owner)) }
    return MaildirInspection(
      ledger: reading, ledgerModified: reading.fault == .unreadable ? nil : ledgerStatus?.modified,
      lastChange: ([ledgerStatus].compactMap { $0 } + parts.filter { $0.part != .tmp }.map { $0.status })
        .map { $0.changed }.max() ?? status.changed,
      device: status.identity.device, rightsFaults: faults.compactMap { $0 }, hasFolderMark: hasFolderMark)
  }

  private static func parts(
    of directory: borrowing File
  ) throws(MaildirError) -> [(part: RightsFault.Part, status: FileStatus)] {
    var parts: [(part: RightsFault.Part, status: FileStatus)] = []
    var missing: [Path] = []
    for (part, name) in [(RightsFault.Part.new, Path("new")), (.cur, "cur"), (.tmp, "tmp")] {
      let status: FileStatus?
      do { status = try directory.fstatatIfThere(name) } catch { throw .system(error) }
      switch status?.kind {
      case .directory?: if let status { parts.append((part, status)) }
      case .symlink?: throw .symlinkInside(Array(name.bytes))
      case nil: if part != .tmp { missing.append(name) }  // The next delivery makes tmp/.
      default: throw .notADirectory(Array(name.bytes))
      }
    }
    guard missing.count < 2 else { throw .unmade }
    if let name = missing.first { throw .missingPart(Array(name.bytes)) }
    return parts
  }

  /// The ledger, and its status unless it is missing or not a file.
  private static func ledger(
    in directory: borrowing File, _ limit: QuotaLimit
  ) throws(MaildirError) -> (LedgerReading, FileStatus?) {
    switch try LedgerFile.open(in: directory, mayBeReadOnly: true) {
    case .success(let file): return (try file.read(limit: limit), file.status)
    case .failure(let fault):
      guard fault != .missing else { return (.fault(fault), nil) }
      let status: FileStatus?
      do { status = try directory.fstatatIfThere(LedgerFile.name) } catch { throw .system(error) }
      guard status?.kind != .directory else { throw .ledgerIsDirectory }
      // An unreadable ledger most likely belongs to root.
      return (.fault(fault), fault == .unreadable ? status : nil)
    }
  }
}

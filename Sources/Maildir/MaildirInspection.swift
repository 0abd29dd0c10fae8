// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// What a look at a Maildir shows without counting its messages, in a dozen system calls. Nothing is written, no lock is
/// taken.
package struct MaildirInspection: Sendable {
  package let ledger: LedgerReading
  /// Of the ledger's last change, nil when there is none to read.
  package let ledgerModified: Timestamp?
  package let rightsFaults: [RightsFault]
  /// `maildirfolder` in the Maildir itself sends Courier's programs to the directory above it.
  package let hasFolderMark: Bool

  /// - Throws: `wrongOwner` when the Maildir is not `owner`'s, `missing` when it or a part of it is not there.
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
      rightsFaults: faults.compactMap { $0 }, hasFolderMark: hasFolderMark)
  }

  private static func parts(
    of directory: borrowing File
  ) throws(MaildirError) -> [(part: RightsFault.Part, status: FileStatus)] {
    var parts: [(part: RightsFault.Part, status: FileStatus)] = []
    for (part, name) in [(RightsFault.Part.new, Path("new")), (.cur, "cur"), (.tmp, "tmp")] {
      let status: FileStatus?
      do { status = try directory.fstatatIfThere(name) } catch { throw .system(error) }
      switch status?.kind {
      case .directory?: if let status { parts.append((part, status)) }
      case .symlink?: throw .symlinkInside(Array(name.bytes))
      case nil: if part != .tmp { throw .missing(Array(name.bytes)) }  // The next delivery makes tmp/.
      default: throw .notADirectory(Array(name.bytes))
      }
    }
    return parts
  }

  /// The ledger, and its status when it was opened, or as far as its name shows it.
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
      // An unreadable ledger is most likely root's.
      return (.fault(fault), fault == .unreadable ? status : nil)
    }
  }
}

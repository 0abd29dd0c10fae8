// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// What a look at a Maildir shows without counting its messages. Nothing is written, no lock is taken.
package struct MaildirInspection: Sendable {
  package let ledger: Result<LedgerContents, LedgerFault>
  /// Of the ledger's last change, nil when there is none to read.
  package let ledgerModified: Timestamp?
  /// Sentences on files whose owner or mode keeps a program of the mail user from its work, or lets others in.
  package private(set) var wrongRights: [String] = []
  /// `maildirfolder` in the Maildir itself sends Courier's programs to the directory above it.
  package let hasFolderMark: Bool
  package let stale: StaleFiles

  package init(_ maildir: borrowing Maildir, limit: QuotaLimit) throws(MaildirError) {
    var ledger = Ledger(limit: limit)
    let reading = try ledger.readUnlocked(in: maildir)
    self.ledger = reading.map(\.contents)
    ledgerModified = ledger.modifiedWhenRead
    do throws(SystemError) {
      hasFolderMark = try maildir.directory.fstatatIfThere("maildirfolder") != nil
      stale = try Self.staleFiles(in: maildir)
      for name in [Path("new"), "cur", "tmp"] {
        guard let status = try maildir.directory.fstatatIfThere(name) else { continue }
        wrongRights += Self.wrongRights(of: name, status, maildir.owner, needed: 0o700)
      }
      if let status = try maildir.directory.fstatatIfThere(Ledger.name), status.kind == .regular {
        wrongRights += Self.wrongRights(of: Ledger.name, status, maildir.owner, needed: 0o600)
      }
    } catch { throw .system(error) }
    if maildir.permissions & 0o002 != 0 { wrongRights.append("everybody may write to the Maildir") }
    if maildir.permissions & 0o700 != 0o700 {
      wrongRights.append("the Maildir has mode \(String(maildir.permissions, radix: 8)), its owner needs rwx")
    }
  }

  /// Removes what is stale.
  ///
  /// - Returns: how many files.
  package func removeStale(from maildir: borrowing Maildir) throws(MaildirError) -> Int {
    guard !stale.names.isEmpty else { return 0 }
    do {
      return try stale.remove(from: File(openat: maildir.directory, "tmp", [.directory, .noFollow]))
    } catch { throw .system(error) }
  }

  private static func staleFiles(in maildir: borrowing Maildir) throws(SystemError) -> StaleFiles {
    let tmp: File
    do { tmp = try File(openat: maildir.directory, "tmp", [.directory, .noFollow]) } catch {
      guard error.number == Errno.ENOENT else { throw error }
      return StaleFiles()
    }
    var listing = DirectoryListing(bytes: 4096)
    return try StaleFiles.look(in: tmp, &listing)
  }

  private static func wrongRights(
    of name: Path, _ status: FileStatus, _ owner: UInt32, needed: UInt32
  ) -> [String] {
    let name = String(decoding: name.bytes, as: UTF8.self)
    if status.owner != owner {
      return ["\(name) belongs to \(CurrentProcess.userName(status.owner)), not to \(CurrentProcess.userName(owner))"]
    }
    if status.permissions & needed != needed {
      return ["\(name) has mode \(String(status.permissions, radix: 8)), its owner cannot use it"]
    }
    return status.permissions & 0o002 != 0 ? ["everybody may write to \(name)"] : []
  }
}

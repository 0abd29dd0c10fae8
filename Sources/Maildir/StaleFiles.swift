// SPDX-License-Identifier: Apache-2.0
package import Posix
import Text

/// Files in a `tmp/`: those older than 36 hours were left by interrupted deliveries (Maildir).
package struct StaleFiles: Sendable, Equatable {
  /// Seconds.
  private static let age: Int64 = 36 * 3600

  package private(set) var names: [Path] = []
  /// Their total size in bytes.
  package private(set) var bytes: Int64 = 0
  /// The number of younger files, which may still be being written.
  package private(set) var younger = 0

  /// By the later of mtime and ctime, as in Courier and Dovecot: a restored file is young.
  static func look(in tmp: borrowing File, _ listing: inout DirectoryListing) throws(SystemError) -> StaleFiles {
    var found = StaleFiles()
    try listing.forEach(in: tmp, size: 0) { (name, kind) throws(SystemError) in
      guard kind == .regular || kind == .unknown, let path = Path(Array(copying: name)),
        let status = try tmp.fstatatIfThere(path), status.kind == .regular
      else { return }
      if Timestamp.now < max(status.modified, status.changed).adding(seconds: age) {
        found.younger += 1
      } else {
        found.names.append(path)
        found.bytes += status.size
      }
    }
    return found
  }

  /// The stale files in the `tmp/` of a Maildir.
  package static func look(in maildir: Maildir) throws(MaildirError) -> StaleFiles {
    do throws(SystemError) {
      var listing = DirectoryListing()
      return try look(in: File(openat: maildir.directory, "tmp", [.directory, .noFollow]), &listing)
    } catch {
      // The inspection reports wrong owners and modes.
      guard error.number == Errno.ENOENT || error.number == Errno.EACCES else { throw .system(error) }
      return StaleFiles()
    }
  }

  /// Removes them from the `tmp/` of the Maildir.
  ///
  /// - Returns: how many were removed.
  package func remove(from maildir: Maildir) throws(MaildirError) -> Int {
    guard !names.isEmpty else { return 0 }
    do throws(SystemError) {
      let tmp = try File(openat: maildir.directory, "tmp", [.directory, .noFollow])
      var removed = 0
      for name in names where try Self.remove(name, from: tmp) { removed += 1 }
      return removed
    } catch { throw .system(error) }
  }

  /// False if someone else has removed it.
  private static func remove(_ name: Path, from tmp: borrowing File) throws(SystemError) -> Bool {
    do { try tmp.unlinkat(name) } catch {
      guard error.number == Errno.ENOENT else { throw error }
      return false
    }
    return true
  }
}

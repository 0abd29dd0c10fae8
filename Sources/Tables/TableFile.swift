// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
import Text

/// The file of a table: `/etc/postfix/limits.cf` of `pgsql:/etc/postfix/limits.cf`.
package enum TableFile {
  /// Reads a table's file. If permission is denied, the error names our user and a command that lets it in.
  package static func read(
    _ reference: TableReference, limit: Int, until deadline: Deadline
  ) throws(TableError) -> [UInt8] {
    guard reference.name.first == UInt8(ascii: "/"), let path = Path(reference.name) else {
      throw TableError(.configuration, reference.text, "the name must be a path that begins with /")
    }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: limit, until: deadline) } catch {
      throw TableError(
        passing.contains(error.number) ? .temporary : .configuration, reference.text,
        error.shown + remedy(for: error, reference.name.text))
    }
    guard !text.hasByteOrderMark else {
      throw TableError(.configuration, reference.text, "the file begins with a byte order mark; remove it")
    }
    return text
  }

  /// What passes by itself: a writer at work, too many open files, trouble with the disk or the server.
  private static let passing: Set<Int32> = [
    Errno.EBUSY, Errno.EMFILE, Errno.ENFILE, Errno.EIO, Errno.ESTALE, Errno.ENOMEM, Errno.ETIMEDOUT,
  ]

  private static func remedy(for error: SystemError, _ file: String) -> String {
    if error.number == Errno.EBUSY { return "; it kept changing while it was read" }
    if passing.contains(error.number) { return "" }
    guard error.number == Errno.EACCES else {
      return "; it must be a file: create it, or correct its name in ullage.cf"
    }
    let user = CurrentProcess.effectiveUser
    return " (as uid \(user)); let that user read it, for instance: setfacl -m u:\(user):r \(file)"
      + " (and u:\(user):x on parent directories that are closed to that user)"
  }
}

// SPDX-License-Identifier: Apache-2.0
package import Posix

/// A message on its way into `new/`. Until it is published, nothing remains of it when it goes out of scope.
package struct MessageFile: ~Copyable {
  private let file: File
  /// /proc/self/fd, through which an unnamed file gets its name.
  private let descriptors: Int32
  /// The name in `tmp/`, where the file system has no unnamed files (NFS) or there is no /proc.
  private let tmp: TmpName?
  private let names: UniqueName
  /// Bytes written so far.
  package private(set) var size: Int64 = 0

  /// - Parameter descriptors: /proc/self/fd, open; nil where it is not to be had.
  package static func create(
    in maildir: borrowing Maildir, names: UniqueName, descriptors: Int32?
  ) throws(MaildirError) -> MessageFile {
    if let descriptors, let file = try openUnnamed(in: maildir) {
      do { try file.fchmod(0o600, "tmp") } catch { throw .system(error) }
      return MessageFile(file: file, descriptors: descriptors, tmp: nil, names: names)
    }
    try Maildir.makeTmp(in: maildir.directory)
    let tmp = TmpName(names.temporary(), in: maildir)
    let file: File
    do { file = try tmp.create(in: maildir) } catch { throw .system(error) }
    do { try file.fchmod(0o600, "tmp") } catch { throw .system(error) }
    return MessageFile(file: file, descriptors: -1, tmp: tmp, names: names)
  }

  private init(file: consuming File, descriptors: Int32, tmp: consuming TmpName?, names: UniqueName) {
    self.file = file
    self.descriptors = descriptors
    self.tmp = tmp
    self.names = names
  }

  /// Nil where unnamed files are not to be had (open(2): EOPNOTSUPP; EISDIR or EINVAL before they existed).
  private static func openUnnamed(in maildir: borrowing Maildir) throws(MaildirError) -> File? {
    for isFirstTry in [true, false] {
      do {
        return try File(openat: maildir.directory, "tmp", [.unnamed, .writeOnly, .noFollow], mode: 0o600)
      } catch {
        switch error.number {
        case Errno.EOPNOTSUPP, Errno.EISDIR, Errno.EINVAL: return nil
        case Errno.ENOENT where isFirstTry, Errno.ENOTDIR where isFirstTry, Errno.ELOOP where isFirstTry: break
        default: throw .system(error)
        }
      }
      // Missing: it is made again. Not a directory: that is refused here.
      try Maildir.makeTmp(in: maildir.directory)
    }
    return nil
  }

  package mutating func write(_ bytes: Span<UInt8>) throws(MaildirError) {
    do { try file.write(bytes) } catch { throw .system(SystemError(error.call, "tmp".utf8, error.number)) }
    size += Int64(bytes.count)
  }

  /// Makes the bytes durable.
  package func synchronize() throws(MaildirError) {
    do { try file.fsync("tmp") } catch { throw .system(error) }
  }

  /// Gives the file its name in `new/`, never replacing one.
  ///
  /// - Returns: the name, relative to `new/`.
  package func publish(in maildir: borrowing Maildir) throws(MaildirError) -> Path {
    do {
      let name = names.message(try file.fstat("tmp").identity, size: size)
      if tmp == nil {
        try maildir.new.linkat(unnamed: file, through: descriptors, as: name)
      } else {
        try tmp?.rename(to: Path("new").appending(name), in: maildir, .withoutReplacing)
      }
      return name
    } catch { throw .system(error) }
  }
}

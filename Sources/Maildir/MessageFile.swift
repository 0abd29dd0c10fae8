// SPDX-License-Identifier: Apache-2.0
package import Posix

/// A message on its way into `new/`, of one Maildir or of several. What is not published goes with this value.
package struct MessageFile: ~Copyable {
  private let file: File
  /// The name in `tmp/`, if the file system has no unnamed files (NFS) or /proc is not mounted.
  private let tmp: TmpName?
  private let maildir: Maildir
  private let names: UniqueName
  /// Whether the file may be given several names in `new/`.
  package var isShared = false
  /// How many it has been given.
  private var copies = 0
  /// Bytes written so far.
  package private(set) var size: Int64 = 0

  /// - Parameter unnamed: whether an unnamed file can be given a name later (`File.canNameUnnamedFiles`).
  package static func create(
    in maildir: Maildir, names: UniqueName, unnamed: Bool
  ) throws(MaildirError) -> MessageFile {
    if unnamed, let file = try openUnnamed(in: maildir) {
      do { try file.fchmod(0o600, "tmp") } catch { throw .system(error) }
      return MessageFile(file: file, tmp: nil, maildir: maildir, names: names)
    }
    let tmp = try TmpName(names.temporary(), in: maildir)
    let file: File
    do { file = try tmp.create() } catch { throw .system(error) }
    do { try file.fchmod(0o600, "tmp") } catch { throw .system(error) }
    return MessageFile(file: file, tmp: tmp, maildir: maildir, names: names)
  }

  private init(file: consuming File, tmp: consuming TmpName?, maildir: Maildir, names: UniqueName) {
    self.file = file
    self.maildir = maildir
    self.tmp = tmp
    self.names = names
  }

  /// Nil if the file system has no unnamed files (open(2): EOPNOTSUPP; before Linux 3.11 EISDIR or EINVAL).
  private static func openUnnamed(in maildir: Maildir) throws(MaildirError) -> File? {
    for isFirstTry in [true, false] {
      do {
        return try File(openat: maildir.directory, "tmp", [.unnamed, .readWrite, .noFollow], mode: 0o600)
      } catch {
        switch error.number {
        case Errno.EOPNOTSUPP, Errno.EISDIR, Errno.EINVAL: return nil
        case Errno.ENOENT where isFirstTry, Errno.ENOTDIR where isFirstTry, Errno.ELOOP where isFirstTry: break
        default: throw .system(error)
        }
      }
      // If it is missing, it is created; if it is not a directory, this fails.
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

  /// Reads into `buffer` what was written from `offset` on; returns the number of bytes, 0 at the end.
  package func read(into buffer: inout MutableSpan<UInt8>, at offset: Int64) throws(SystemError) -> Int {
    try file.pread(into: &buffer, at: offset)
  }

  /// Gives the file a name in `new/` of a Maildir, never replacing one.
  ///
  /// - Returns: the name, relative to `new/`.
  package mutating func publish(in target: Maildir) throws(MaildirError) -> Path {
    do {
      let name = names.message(try file.fstat("tmp").identity, size: size, copy: copies)
      if tmp == nil {
        try target.new.linkat(unnamed: file, as: name)
      } else if isShared {
        try tmp?.link(to: name, in: target.new)
      } else {
        try tmp?.rename(to: Path("new").appending(name), .withoutReplacing)
      }
      copies += 1
      return name
    } catch { throw .system(error) }
  }
}

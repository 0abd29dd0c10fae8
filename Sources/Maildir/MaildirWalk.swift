// SPDX-License-Identifier: Apache-2.0
import Posix

/// The walk from the base directory down to a Maildir.
struct MaildirWalk: ~Copyable {
  private let base: Path
  private let absent: Maildir.Absent
  private var place: File
  /// The path of `place`.
  private var passed: Path

  init(base: Path, absent: Maildir.Absent) throws(MaildirError) {
    let place: File
    do { place = try File(open: base, [.pathOnly, .directory]) } catch {
      throw error.number == Errno.ENOENT ? .baseMissing : .system(error)
    }
    self.base = base
    self.absent = absent
    self.place = place
    passed = base
  }

  mutating func enter(_ name: Path) throws(MaildirError) {
    place = try open(name, [.pathOnly, .directory])
    passed = passed.appending(name)
  }

  func open(_ name: Path) throws(MaildirError) -> File {
    try open(name, [.directory])
  }

  /// The status of the directory `name`. A symlink is followed only if root owns it.
  func status(of name: Path) throws(MaildirError) -> FileStatus {
    let status: FileStatus?
    do { status = try place.fstatatIfThere(name) } catch { throw .system(error) }
    guard let status else { throw .missing(Array(name.bytes)) }
    if status.kind == .directory { return status }
    let directory = try open(name, [.pathOnly, .directory])
    do { return try directory.fstat(name) } catch { throw .system(error) }
  }

  private func open(_ name: Path, _ flags: File.Flags) throws(MaildirError) -> File {
    do { return try File(openat: place, name, flags.union(.noFollow)) } catch {
      switch error.number {
      case Errno.ENOENT where absent == .refused: throw .missing(Array(name.bytes))
      case Errno.ENOENT: try create(name)
      case Errno.ENOTDIR, Errno.ELOOP:
        let target = try trustedTarget(of: name)
        do { return try File(openat: place, target, flags) } catch {
          throw .system(SystemError(error.call, name.bytes, error.number))
        }
      default: throw .system(error)
      }
    }
    do { return try File(openat: place, name, flags.union(.noFollow)) } catch { throw .system(error) }
  }

  private func create(_ name: Path) throws(MaildirError) {
    if absent == .madeUnlessBaseIsEmpty { try checkBaseIsNotEmpty() }
    // An O_PATH descriptor can be neither synced nor listed.
    let parent: File
    do { parent = try File(openat: place, ".", [.directory]) } catch { throw .system(error) }
    try Maildir.make(name, in: parent)
  }

  func checkBaseIsNotEmpty() throws(MaildirError) {
    var count = 0
    do {
      let directory = try File(open: base, [.directory])
      var listing = DirectoryListing()
      try listing.forEach(in: directory, size: 0) { _, _ in count += 1 }
    } catch { throw .system(error) }
    guard count > 0 else { throw .baseEmpty }
  }

  /// A domain moved to another disk is a symlink owned by root; any other could lead the mail anywhere. Its target is
  /// read from the link that was looked at: under the same name there may be another one by now.
  private func trustedTarget(of name: Path) throws(MaildirError) -> Path {
    let status: FileStatus
    let target: [UInt8]
    do throws(SystemError) {
      let link = try File(openat: place, name, [.pathOnly, .noFollow])
      status = try link.fstat(name)
      target = status.kind == .symlink ? try link.readSymlink(name) : []
    } catch { throw .system(error) }
    guard status.kind == .symlink else { throw .notADirectory(Array(name.bytes)) }
    guard status.owner == 0, let path = Path(target) else { throw .foreignSymlink(Array(passed.appending(name).bytes)) }
    return path
  }
}

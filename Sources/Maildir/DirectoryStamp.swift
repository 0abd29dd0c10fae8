// SPDX-License-Identifier: Apache-2.0
import Posix

/// Shows whether a directory has changed since it was listed: two equal stamps mean that it has not, if the
/// first was settled.
///
/// The kernel takes file times from its coarse clock. A stamp older than that clock, read just before, is
/// settled: every later change gets a later time. A stamp as new as the clock may be given again.
struct DirectoryStamp: Equatable {
  private let identity: FileIdentity
  private let modified: Timestamp
  private let changed: Timestamp
  private let lookedAt: Timestamp
  let kind: FileKind
  /// `st_size`, bytes.
  let size: Int64

  /// - Parameter status: reads the directory's status; called after the clock was read.
  init(_ status: () throws(SystemError) -> FileStatus) throws(SystemError) {
    let now = Timestamp.coarse
    self.init(try status(), lookedAt: now)
  }

  /// - Parameter lookedAt: the coarse clock just before the status was read.
  init(_ status: FileStatus, lookedAt: Timestamp) {
    self.lookedAt = lookedAt
    identity = status.identity
    modified = status.modified
    changed = status.changed
    kind = status.kind
    size = status.size
  }

  var isSettled: Bool { settledAt < lookedAt }

  /// The stamp is settled once the coarse clock has passed this time. File systems without fractions of a
  /// second (ext4 with 128-byte inodes) give the same time for a whole second. A stamp from the future, left
  /// by a restored backup or a wrong clock, is settled: a later change gets a different one.
  var settledAt: Timestamp {
    let soon = lookedAt.adding(seconds: 3)
    let latest = [modified, changed].filter { $0 < soon }.max() ?? .distantPast
    guard modified.nanoseconds == 0 || changed.nanoseconds == 0 else { return latest }
    return Timestamp(seconds: latest.seconds, nanoseconds: 0).adding(seconds: 2)
  }

  func isSameDirectory(as other: DirectoryStamp) -> Bool { identity == other.identity }

  /// Whether the directory was changed less than `seconds` ago, or in the future, by its ctime: every change sets it,
  /// and a restored backup may have given the directory any mtime.
  func isYounger(than seconds: Int64) -> Bool { lookedAt < changed.adding(seconds: seconds) }

  /// This stamp, or one taken after waiting for a few clock ticks, so that it is settled if possible.
  func settled(_ status: () throws(SystemError) -> FileStatus) throws(SystemError) -> DirectoryStamp {
    var stamp = self
    for _ in 0..<3 where !stamp.isSettled {
      waitForTick()
      stamp = try DirectoryStamp(status)
    }
    return stamp
  }

  static func == (left: DirectoryStamp, right: DirectoryStamp) -> Bool {
    left.identity == right.identity && left.modified == right.modified && left.changed == right.changed
  }
}

extension Timestamp {
  static let distantPast = Timestamp(seconds: 0, nanoseconds: 0)
}

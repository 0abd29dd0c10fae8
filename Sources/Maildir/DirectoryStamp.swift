// SPDX-License-Identifier: Apache-2.0
import Posix

/// What tells whether a directory has changed since it was listed: two equal stamps mean that it has not, if the first
/// was settled.
///
/// The kernel stamps with its coarse clock. A stamp that is older than that clock, read just before, is settled: every
/// later change gets a later stamp. A stamp as young as the clock may be given again, to a change after the listing.
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
    lookedAt = .coarse
    let status = try status()
    identity = status.identity
    modified = status.modified
    changed = status.changed
    kind = status.kind
    size = status.size
  }

  var isSettled: Bool { settledAt < lookedAt }

  /// The coarse clock must have passed this. File systems without fractions of a second (ext4 with inodes of 128
  /// bytes) give whole ones, which stay the same for a second. A stamp from the future, which a restored backup or a
  /// wrong clock left, is settled: a later change is given another one.
  var settledAt: Timestamp {
    let soon = lookedAt.adding(seconds: 3)
    let latest = [modified, changed].filter { $0 < soon }.max() ?? .distantPast
    guard modified.nanoseconds == 0 || changed.nanoseconds == 0 else { return latest }
    return Timestamp(seconds: latest.seconds, nanoseconds: 0).adding(seconds: 2)
  }

  func isSameDirectory(as other: DirectoryStamp) -> Bool { identity == other.identity }

  /// Whether the directory was changed less than `seconds` ago, or in the future.
  func isYounger(than seconds: Int64) -> Bool { lookedAt < max(modified, changed).adding(seconds: seconds) }

  /// This stamp, or a later one for which the next tick or two were waited, so that it is settled where it can be.
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

// SPDX-License-Identifier: Apache-2.0
// Whether the C library's types belong to it or to Foundation depends on what is compiled first.
import CPosix
import Foundation
import Quota
import TestSupport
import Testing

@testable import Maildir
@testable import Posix

/// Whether two looks at a directory show that nothing has changed in between.
struct DirectoryStampTests {
  private static let now = Timestamp(seconds: 1_764_353_101, nanoseconds: 600)

  /// A stamp of a directory with these times, in seconds and nanoseconds before (negative) or after now.
  private static func stamp(
    modified: (Int64, Int64), changed: (Int64, Int64)? = nil, inode: UInt64 = 1
  ) -> DirectoryStamp {
    func time(_ offset: (Int64, Int64)) -> timespec {
      timespec(tv_sec: Int(now.seconds + offset.0), tv_nsec: Int(offset.1))
    }
    var status = stat()
    status.st_ino = UInt(inode)
    status.st_mode = S_IFDIR | 0o700
    status.st_mtim = time(modified)
    status.st_ctim = time(changed ?? modified)
    return DirectoryStamp(FileStatus(status), lookedAt: now)
  }

  @Test(
    "A stamp is settled if the clock has moved on since",
    arguments: [
      // Long ago; the second before; this second, before the clock and at it.
      ((-10, 500), true), ((-1, 500), true), ((0, 500), true), ((0, 600), false),
      // Whole seconds: a file system without fractions may give the same time for two seconds more.
      ((-10, 0), true), ((-1, 0), false), ((0, 0), false),
      // The future, as after a restored backup: every later change gets a different time.
      ((3600, 500), true), ((3600, 0), true),
      // A clock that is slightly ahead.
      ((2, 500), false),
    ] as [((Int64, Int64), Bool)])
  func settled(modified: (Int64, Int64), isSettled: Bool) {
    #expect(Self.stamp(modified: modified).isSettled == isSettled)
  }

  @Test("The later of the two times decides")
  func later() {
    #expect(!Self.stamp(modified: (-100, 5), changed: (2, 5)).isSettled)
    #expect(!Self.stamp(modified: (2, 5), changed: (-100, 5)).isSettled)
    #expect(Self.stamp(modified: (-100, 5), changed: (-90, 5)).isYounger(than: 91))
    #expect(!Self.stamp(modified: (-100, 5), changed: (-90, 5)).isYounger(than: 60))
    #expect(Self.stamp(modified: (-100, 5), changed: (3600, 5)).isYounger(than: 0))
    // A restored backup: the time of its last change decides.
    #expect(!Self.stamp(modified: (3600, 5), changed: (-100, 5)).isYounger(than: 60))
  }

  @Test("Equal stamps are those of one directory with the same times, whenever they were taken")
  func equality() {
    let stamp = Self.stamp(modified: (-10, 5))
    #expect(stamp == Self.stamp(modified: (-10, 5)))
    #expect(stamp != Self.stamp(modified: (-10, 6)))
    #expect(stamp != Self.stamp(modified: (-10, 5), changed: (-9, 5)))
    #expect(stamp != Self.stamp(modified: (-10, 5), inode: 2))
    #expect(stamp.isSameDirectory(as: Self.stamp(modified: (-99, 5))))
    #expect(!stamp.isSameDirectory(as: Self.stamp(modified: (-10, 5), inode: 2)))
  }

  @Test("Waiting for a settled stamp takes it again, a few times at most")
  func waiting() throws {
    var looks = 0
    var status = stat()
    status.st_mode = S_IFDIR
    func look() throws(SystemError) -> FileStatus {
      looks += 1
      let now = Timestamp.coarse.adding(seconds: 1)
      status.st_mtim = timespec(tv_sec: Int(now.seconds), tv_nsec: Int(now.nanoseconds) | 1)
      status.st_ctim = status.st_mtim
      return FileStatus(status)
    }
    // A directory that never stops changing.
    #expect(try !DirectoryStamp(look).settled(look).isSettled)
    #expect(looks == 4)
  }
}

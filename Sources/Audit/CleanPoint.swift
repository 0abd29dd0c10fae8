// SPDX-License-Identifier: Apache-2.0
import Posix
import Text

/// A time from which on a power cut may have taken entries out of `maildirsize`; everything older is on the disk.
///
/// An entry is not synced with its message, which would cost each delivery a third sync. So after a boot the next
/// audit counts every mailbox that was changed since then. Whether the machine was stopped in an orderly way is
/// not asked: nothing says that for certain, and one count too many costs little.
package struct CleanPoint: Sendable, Codable, Equatable {
  /// The kernel's number of the boot during which it was noted (random(4), boot_id).
  package let boot: String
  /// Seconds since 1970.
  package let time: Int64

  package init(boot: String, time: Int64) {
    self.boot = boot
    self.time = time
  }

  /// Now, nil if /proc does not say which boot this is. It holds once every file system has been synced.
  package static func now() -> CleanPoint? {
    let bytes: [UInt8]
    do { bytes = try File(open: "/proc/sys/kernel/random/boot_id").pread(upTo: 100) } catch { return nil }
    return bytes.isEmpty ? nil : CleanPoint(boot: bytes.trimmed.text, time: Timestamp.coarse.seconds)
  }

  /// Mailboxes that were changed at this time or later must be counted, by the clean point of an earlier audit;
  /// nil if no power cut can have taken anything.
  ///
  /// - Parameters:
  ///   - last: the clean point of the last audit, nil if there was none.
  ///   - now: the present boot and time, nil if unknown.
  ///   - isForced: the administrator says that the storage was stopped (`--after-crash`).
  ///   - isRemote: the Maildirs are on a server, whose boots are not this host's.
  package static func suspectTime(
    since last: CleanPoint?, now: CleanPoint?, isForced: Bool, isRemote: Bool
  ) -> Int64? {
    guard isForced || !isRemote && last != nil && now != nil && last?.boot != now?.boot else { return nil }
    guard let last else { return .min }
    // A clock that was set back says nothing about the order of changes, nor does a time that no clock had.
    if last.time < 0 || now.map({ $0.time < last.time }) == true { return .min }
    // A time stamp is taken before the bytes are written, and may be a tick old.
    return last.time - 1
  }
}

// SPDX-License-Identifier: Apache-2.0
import CPosix

/// Sleeps; a signal may cut it short (nanosleep(2)).
package func pause(milliseconds: Double) {
  let nanoseconds = Int(milliseconds * 1_000_000)
  var time = timespec(tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
  unsafe nanosleep(&time, nil)
}

/// Sleeps for 4 ms, about one kernel tick.
package func waitForTick() { pause(milliseconds: 4) }

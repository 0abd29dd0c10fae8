// SPDX-License-Identifier: Apache-2.0
import Glibc

package enum Readiness: Sendable {
  case reading, writing
}

/// Waits until `descriptor` is ready or broken, at most until `deadline` (`ETIMEDOUT`).
package func poll(_ descriptor: Int32, for readiness: Readiness, until deadline: Deadline) throws(SystemError) {
  var request = pollfd(fd: descriptor, events: Int16(readiness == .reading ? POLLIN : POLLOUT), revents: 0)
  let ready = try systemCall(.poll, until: deadline) { unsafe Glibc.poll(&request, 1, deadline.milliseconds) }
  guard ready > 0 else { throw SystemError(.poll, [], ETIMEDOUT) }
}

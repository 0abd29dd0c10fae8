// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The operations for which a descriptor is ready without blocking.
package struct Readiness: OptionSet, Sendable {
  package let rawValue: Int16
  package init(rawValue: Int16) { self.rawValue = rawValue }
  package static let reading = Readiness(rawValue: Int16(POLLIN))
  package static let writing = Readiness(rawValue: Int16(POLLOUT))
}

/// Waits until `descriptor` is ready for one of `readiness` or has failed; `ETIMEDOUT` after `deadline`.
///
/// - Returns: what it is ready for; all of `readiness` if it has failed, so that the next call says why.
@discardableResult
package func poll(
  _ descriptor: Int32, for readiness: Readiness, until deadline: Deadline
) throws(SystemError) -> Readiness {
  var request = pollfd(fd: descriptor, events: readiness.rawValue, revents: 0)
  while true {
    let ready = try systemCall(.poll, until: deadline) { unsafe CPosix.poll(&request, 1, deadline.milliseconds) }
    if ready > 0 { break }
    // A single call waits for an hour at most.
    guard !deadline.hasPassed else { throw SystemError(.poll, [], ETIMEDOUT) }
  }
  let given = Readiness(rawValue: request.revents).intersection(readiness)
  return given.isEmpty ? readiness : given
}

// SPDX-License-Identifier: Apache-2.0
import CPosix

/// Socket activation and sd_notify(3). Without systemd, no socket is passed and notifications go nowhere.
package enum ServiceManager {
  /// What a service reports about itself.
  package enum State: String, Sendable {
    case ready = "READY=1"
    case reloading = "RELOADING=1"
    case stopping = "STOPPING=1"
  }

  /// Reports the state of this process (sd_notify(3)).
  package static func notify(_ state: State) {
    guard let path = Path(CurrentProcess.environment("NOTIFY_SOCKET").utf8), path.bytes.first == UInt8(ascii: "/")
    else { return }
    // The service also runs without a listening manager.
    do throws(SystemError) { try DatagramSocket(to: path).send(Array(state.rawValue.utf8)) } catch {}
  }

  /// The descriptor of the listening socket that a unit passed to this process as `name`, nil without one. It is the
  /// caller's: take it only once, and close it.
  ///
  /// - Parameter isExact: a single socket is not taken whatever its name is.
  package static func takeListeningSocket(named name: String, isExact: Bool = false) -> Int32? {
    let sockets = PassedSockets(
      process: CurrentProcess.environment("LISTEN_PID"), count: CurrentProcess.environment("LISTEN_FDS"),
      names: CurrentProcess.environment("LISTEN_FDNAMES"))
    guard let descriptor = sockets.descriptor(named: name, isExact: isExact, in: CurrentProcess.identifier),
      cposix_fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
    else { return nil }
    return descriptor
  }

  /// Sets how many connections wait for a listening socket until they are accepted (listen(2)); the kernel's own limit
  /// applies too.
  package static func setBacklog(_ backlog: Int32, of listeningSocket: Int32) throws(SystemError) {
    _ = try systemCall(.listen) { listen(listeningSocket, backlog) }
  }
}

/// The sockets that systemd passes, as the environment describes them (sd_listen_fds_with_names(3)).
package struct PassedSockets: Sendable {
  private let process: String
  private let count: Int
  private let names: [String]

  /// - Parameters:
  ///   - process: `LISTEN_PID`, the process to which they were passed.
  ///   - count: `LISTEN_FDS`. The first descriptor is 3.
  ///   - names: `LISTEN_FDNAMES`, separated by colons; empty before systemd 227.
  package init(process: String, count: String, names: String) {
    self.process = process
    self.count = max(0, Int(count) ?? 0)
    self.names = names.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
  }

  /// The descriptor of the socket called `name` (`FileDescriptorName=` of its unit). A single socket is taken
  /// whatever its name: without `FileDescriptorName=` it is named after the unit.
  package func descriptor(named name: String, isExact: Bool = false, in ownProcess: Int32) -> Int32? {
    guard process == "\(ownProcess)", count > 0 else { return nil }
    if count == 1, !isExact, names != ["metrics"] { return 3 }
    return names.prefix(count).firstIndex(of: name).map { 3 + Int32($0) }
  }
}

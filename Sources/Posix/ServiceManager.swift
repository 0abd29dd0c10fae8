// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What systemd hands to a service and hears from it. Without systemd there is nothing to hand over, and nobody hears.
package enum ServiceManager {
  package enum State: String, Sendable {
    case ready = "READY=1"
    case reloading = "RELOADING=1"
    case stopping = "STOPPING=1"
  }

  /// Tells how it stands with this process (sd_notify(3)).
  package static func notify(_ state: State) {
    guard let path = Path(CurrentProcess.environment("NOTIFY_SOCKET").utf8), path.bytes.first == UInt8(ascii: "/"),
      let socket = try? DatagramSocket(to: path)
    else { return }
    try? socket.send(Array(state.rawValue.utf8))
  }

  /// The one listening socket that a unit of type socket opened for us (sd_listen_fds(3)), nil without one.
  ///
  /// It may be taken once: whoever takes it closes it.
  package static func listeningSocket() -> Int32? {
    guard CurrentProcess.environment("LISTEN_PID") == "\(getpid())", CurrentProcess.environment("LISTEN_FDS") == "1"
    else { return nil }
    let first: Int32 = 3
    _ = fcntl(first, F_SETFD, FD_CLOEXEC)
    return first
  }
}

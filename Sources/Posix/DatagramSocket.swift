// SPDX-License-Identifier: Apache-2.0
import CPosix

/// A Unix datagram socket that sends to one path and never blocks.
package struct DatagramSocket: ~Copyable {
  private let file: File
  private let address: sockaddr_un

  /// - Throws: `SystemError` (`ENAMETOOLONG` if the path does not fit into a socket address).
  package init(to path: Path) throws(SystemError) {
    let address = try sockaddr_un(path)
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = try systemCall(.socket, path) { socket(AF_UNIX, type, 0) }
    file = File(owning: descriptor)
    self.address = address
  }

  /// Sends one datagram; fails at once if the receiver is absent or its queue is full (sendto(2)).
  package func send(_ bytes: [UInt8]) throws(SystemError) {
    var address = address
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    _ = try unsafe bytes.span.withUnsafeBytes { buffer throws(SystemError) in
      try systemCall(.sendto) {
        unsafe withUnsafePointer(to: &address) { pointer in
          unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe sendto(
              file.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL),
              $0, size)
          }
        }
      }
    }
  }
}

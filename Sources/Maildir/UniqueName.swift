// SPDX-License-Identifier: Apache-2.0
import Posix
import Synchronization

/// The names of new files in a Maildir. No two hosts, processes or threads create the same one (Maildir).
package struct UniqueName: Sendable {
  /// With `/`, `:` and `,` written as `\057`, `\072` and `\054`: they separate the parts of a name (Maildir).
  private let host: [UInt8]

  package init(host: [UInt8]) {
    self.host = host.flatMap { byte -> [UInt8] in
      switch byte {
      case UInt8(ascii: "/"): Array("\\057".utf8)
      case UInt8(ascii: ":"): Array("\\072".utf8)
      case UInt8(ascii: ","): Array("\\054".utf8)
      default: [byte]
      }
    }
  }

  /// The number of temporary names this process has made: threads may read the clock in the same microsecond.
  private static let count = Atomic<UInt64>(0)

  /// `<sec>.M<usec>P<pid>Q<count>.<host>`, for a file in `tmp/`.
  func temporary() -> Path {
    path(unique: "Q\(Self.count.wrappingAdd(1, ordering: .relaxed).newValue)", size: "")
  }

  /// `<sec>.M<usec>P<pid>V<device>I<inode>.<host>,S=<bytes>`, for a message in `new/`. Its inode is unique; a file that
  /// has several names is counted in them.
  ///
  /// - Parameter copy: how many names the file has been given before.
  func message(_ identity: FileIdentity, size: Int64, copy: Int = 0) -> Path {
    let device = String(identity.device, radix: 16)
    let count = copy > 0 ? "Q\(copy)" : ""
    return path(unique: "V\(device)I\(String(identity.inode, radix: 16))\(count)", size: ",S=\(size)")
  }

  private func path(unique: String, size: String) -> Path {
    let now = Timestamp.now
    let front = "\(now.seconds).M\(now.nanoseconds / 1000)P\(CurrentProcess.identifier)\(unique)."
    guard let path = Path(Array(front.utf8) + host + Array(size.utf8)) else {
      preconditionFailure("NUL in a host name")
    }
    return path
  }
}

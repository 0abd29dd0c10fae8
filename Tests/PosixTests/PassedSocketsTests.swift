// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Posix

/// What systemd's environment says about sockets, sd_listen_fds_with_names(3).
struct PassedSocketsTests {
  private static func sockets(process: String = "7", count: String, names: String = "") -> PassedSockets {
    PassedSockets(process: process, count: count, names: names)
  }

  @Test("Of several sockets each is found by its name")
  func several() {
    let sockets = Self.sockets(count: "3", names: "lookup:policy:lmtp")
    #expect(sockets.descriptor(named: "lookup", in: 7) == 3)
    #expect(sockets.descriptor(named: "policy", in: 7) == 4)
    #expect(sockets.descriptor(named: "lmtp", in: 7) == 5)
    #expect(sockets.descriptor(named: "metrics", in: 7) == nil)
  }

  @Test("A single socket is taken whatever its name", arguments: ["", "lookup", "ullaged-lookup.socket"])
  func single(_ name: String) {
    #expect(Self.sockets(count: "1", names: name).descriptor(named: "lookup", in: 7) == 3)
  }

  @Test("Sockets of another process, of none, or in numbers that are none, are not ours")
  func others() {
    #expect(Self.sockets(process: "8", count: "1").descriptor(named: "lookup", in: 7) == nil)
    #expect(Self.sockets(process: "", count: "1").descriptor(named: "lookup", in: 7) == nil)
    for count in ["", "0", "-1", "one"] {
      #expect(Self.sockets(count: count).descriptor(named: "lookup", in: 7) == nil)
    }
  }

  @Test("A name beyond the number of sockets is not one")
  func namesBeyondCount() {
    #expect(Self.sockets(count: "2", names: "a:b:lookup").descriptor(named: "lookup", in: 7) == nil)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Socketmap
import TestSupport
import Testing

struct SocketmapNoiseTests {
  @Test("Whatever arrives, a request is a name and a key, and is sent as it came")
  func requests() {
    for payload in Noise(["map", " ", "a@b", "OK", "\n"]) {
      guard let request = SocketmapRequest(payload) else {
        #expect(!payload.contains(UInt8(ascii: " ")))
        continue
      }
      #expect(request.payload == payload && !request.map.contains(UInt8(ascii: " ")))
    }
  }

  @Test("Whatever arrives, a reply is one of four or none, and says the same when it is sent again")
  func replies() {
    var kinds = 0
    for payload in Noise(["OK", "NOTFOUND", "TEMP", "TIMEOUT", "PERM", " ", "x"], length: 4) {
      guard let reply = SocketmapReply(payload) else { continue }
      kinds += 1
      #expect(SocketmapReply(reply.payload) == reply)
    }
    #expect(kinds > 500)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Posix
import Sweep
import TestSupport
import Testing

@testable import Audit

/// From which time on a power cut may have taken entries out of a ledger.
struct CleanPointTests {
  private static let last = CleanPoint(boot: "one", time: 1000)

  @Test(
    "Only after a boot, and only on this host's own storage, or when the administrator says so",
    arguments: [
      (last, CleanPoint(boot: "one", time: 2000), false, false, nil),
      (last, CleanPoint(boot: "two", time: 2000), false, false, 999),
      (last, CleanPoint(boot: "two", time: 2000), false, true, nil),
      (last, CleanPoint(boot: "one", time: 2000), true, true, 999),
      (nil, CleanPoint(boot: "two", time: 2000), false, false, nil),
      (nil, CleanPoint(boot: "two", time: 2000), true, false, .min), (last, nil, false, false, nil),
      (last, nil, true, false, 999),
      // The clock was set back.
      (last, CleanPoint(boot: "two", time: 500), false, false, .min),
      (last, CleanPoint(boot: "one", time: 500), false, false, nil),
    ] as [(CleanPoint?, CleanPoint?, Bool, Bool, Int64?)])
  func suspectTime(last: CleanPoint?, now: CleanPoint?, isForced: Bool, isRemote: Bool, expected: Int64?) {
    #expect(CleanPoint.suspectTime(since: last, now: now, isForced: isForced, isRemote: isRemote) == expected)
  }

  @Test("The kernel says which boot this is")
  func now() throws {
    let point = try #require(CleanPoint.now())
    #expect(point.boot.count == 36 && point.boot == CleanPoint.now()?.boot)
    #expect(Timestamp(seconds: point.time, nanoseconds: 0).isWithin(seconds: 60))
  }

  @Test("It is kept beside the state, and stays when that is removed; a damaged one counts for the beginning of time")
  func file() throws {
    let sandbox = try Sandbox()
    let file = AuditStateFile(try #require(Path(sandbox("state").utf8)))
    #expect(try file.cleanPoint() == nil)
    try file.save(Self.last)
    try file.remove()
    #expect(try file.cleanPoint() == Self.last)
    let least = "{\"boot\":\"x\",\"time\":-9223372036854775808}"
    for (text, expected) in [("", -1), ("{", -1), ("{\"boot\":1}", -1), (least, Int64.min)] {
      try sandbox.write("state.clean", text)
      let now = CleanPoint(boot: "one", time: 2000)
      let time = CleanPoint.suspectTime(since: try file.cleanPoint(), now: now, isForced: false, isRemote: false)
      #expect(time == expected)
    }
  }

  @Test("A resumed run keeps the earlier begin and the earlier time; without a sync there is no clean point")
  func resumed() {
    var state = AuditState(options: "o", night: 1)
    state.note(begin: Self.last, suspectTime: 500)
    state.note(audited: MailboxReport(.examined))
    state.note(begin: CleanPoint(boot: "two", time: 2000), suspectTime: 999)
    #expect(state.begin == Self.last && state.suspectTime == 500)
    var unsynchronized = MailboxReport(.failed("input/output error"))
    unsynchronized.isSynchronized = false
    state.note(audited: unsynchronized)
    state.note(begin: CleanPoint(boot: "two", time: 3000), suspectTime: nil)
    #expect(state.begin == nil && state.suspectTime == 500)
  }
}

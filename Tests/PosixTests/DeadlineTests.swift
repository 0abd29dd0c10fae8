// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Posix

struct DeadlineTests {
  @Test("A slice never ends after the whole deadline")
  func slice() {
    let deadline = Deadline(secondsFromNow: 10)
    #expect(deadline.slice(seconds: 5) < deadline)
    #expect(deadline.slice(seconds: 20) == deadline)
    #expect(Deadline.never.slice(seconds: 1) < Deadline.never)
  }

  @Test("A deadline far away never passes, whatever its number")
  func far() {
    #expect(Deadline(secondsFromNow: .max) == .never)
    for seconds: Int64 in [.max, .max / 1_000_000_000, 1 << 40] {
      let deadline = Deadline(secondsFromNow: seconds)
      #expect(!deadline.hasPassed && deadline.milliseconds == 3_600_000)
    }
  }

  @Test("A passed deadline throws ETIMEDOUT")
  func passed() {
    #expect(Deadline(secondsFromNow: 0).hasPassed)
    let error = #expect(throws: SystemError.self) { try Deadline(secondsFromNow: 0).check() }
    #expect(error?.number == ETIMEDOUT)
  }

  @Test("The clock that stamps files is never ahead of the precise one (clock_gettime(2))")
  func coarse() {
    #expect(Timestamp.coarse <= Timestamp.now)
  }
}

struct PollTests {
  @Test("A descriptor is ready for what it can do; a closed peer is ready, so that the next call says why")
  func readiness() throws {
    let pipe = Pipe()
    let (reader, writer) = (pipe.fileHandleForReading, pipe.fileHandleForWriting)
    #expect(try poll(writer.fileDescriptor, for: [.reading, .writing], until: .never) == .writing)
    let error = #expect(throws: SystemError.self) {
      try poll(reader.fileDescriptor, for: .reading, until: Deadline(secondsFromNow: 0))
    }
    #expect(error?.number == ETIMEDOUT)
    try writer.write(contentsOf: Array("x".utf8))
    #expect(try poll(reader.fileDescriptor, for: .reading, until: .never) == .reading)
    #expect(try reader.read(upToCount: 1)?.count == 1)
    try writer.close()
    #expect(try poll(reader.fileDescriptor, for: .reading, until: .never) == .reading)
  }
}

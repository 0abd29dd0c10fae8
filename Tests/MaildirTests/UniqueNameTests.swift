// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import Testing
import Text

@testable import Maildir
@testable import Posix

/// The names of new files.
struct UniqueNameTests {
  private let names = UniqueName(host: Array("a/b:c,d".utf8))

  @Test("Threads that make temporary names at once make different ones")
  func threads() {
    let made = Mutex<[[UInt8]]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      let own = (0..<2000).map { _ in Array(names.temporary().bytes) }
      made.withLock { $0 += own }
    }
    #expect(Set(made.withLock { $0 }).count == 16_000)
  }

  @Test("The host's special characters are written as octal numbers, and the size follows the unique part")
  func parts() throws {
    let name = names.message(FileIdentity(device: 0xFD01, inode: 0xABC), size: 500).text
    let parts = try #require(name.wholeMatch(of: /(\d+)\.M(\d+)P(\d+)Vfd01Iabc\.(.+),S=500/))
    #expect(parts.3 == "\(getpid())" && parts.4 == "a\\057b\\072c\\054d")
    #expect(names.temporary().text.wholeMatch(of: /\d+\.M\d+P\d+Q\d+\.a\\057b\\072c\\054d/) != nil)
  }
}

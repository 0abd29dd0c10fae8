// SPDX-License-Identifier: Apache-2.0
import Posix
import TestSupport
import Testing
import Text

struct DirectoryListingTests {
  @Test("Every name is listed once, however small the first buffer was", arguments: [0, 1, 50, 5000])
  func names(count: Int) throws {
    let sandbox = try Sandbox()
    try sandbox.makeDirectory("d")
    let expected = (0..<count).map { "file-with-a-name-of-some-length-\($0),S=12345:2,S" }
    for name in expected { try sandbox.write("d/\(name)", "") }
    let directory = try File(open: try #require(Path(sandbox("d").utf8)), [.directory])
    var listing = DirectoryListing()
    var found: [String] = []
    try listing.forEach(in: directory, size: 0) { name, kind in
      var bytes: [UInt8] = []
      for index in name.indices { bytes.append(name[index]) }
      found.append(String(decoding: bytes, as: UTF8.self))
      #expect(kind == .regular)
    }
    #expect(found.sorted() == expected.sorted())
  }
}

struct FileTests {
  @Test("A name with NUL is no path: the kernel would truncate it")
  func pathWithNUL() {
    #expect(Path([97, 0, 98]) == nil)
  }

  @Test("A file that is larger than allowed, or not a regular file, is an error", arguments: ["big", "fifo", "."])
  func contents(name: String) throws {
    let sandbox = try Sandbox()
    try sandbox.write("big", [UInt8](repeating: 0, count: 101))
    try Command.check(["mkfifo", sandbox("fifo")])
    let path = try #require(Path(sandbox(name).utf8))
    #expect(throws: SystemError.self) { try File.contents(of: path, limit: 100, until: .never) }
  }

  @Test("Renaming without replacing keeps an existing file; exchanging swaps the two names")
  func renaming() throws {
    let sandbox = try Sandbox()
    try sandbox.write("a", "A")
    try sandbox.write("b", "B")
    let directory = try File(open: try #require(Path(sandbox.path.utf8)), [.directory])
    #expect(throws: SystemError(.renameat2, "b".utf8, Errno.EEXIST)) {
      try directory.renameat2("a", to: "b", .withoutReplacing)
    }
    try directory.renameat2("a", to: "b", .exchanging)
    #expect(sandbox.text("a") == "B" && sandbox.text("b") == "A")
  }

  @Test("The birth time is returned if the file system records it (statx(2))")
  func birth() throws {
    let sandbox = try Sandbox()
    let before = Timestamp.coarse
    try sandbox.write("a", "A")
    let file = try File(open: try #require(Path(sandbox("a").utf8)))
    let birth = try #require(try file.birthTime())
    #expect(birth >= before && birth <= Timestamp.now)
  }
}

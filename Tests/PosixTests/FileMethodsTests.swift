// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// Reading, writing and replacing files.
struct FileMethodsTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
  }

  private func path(_ name: String) throws -> Path { try #require(Path(sandbox(name).utf8)) }

  private func directory() throws -> File { try File(open: try #require(Path(sandbox.path.utf8)), [.directory]) }

  @Test(
    "A read from an offset ends at the end of the file, and beyond it there is nothing",
    arguments: [
      (0, 100, "0123456789"), (3, 4, "3456"), (8, 100, "89"), (10, 5, ""), (1000, 5, ""), (0, 0, ""),
    ] as [(Int64, Int, String)])
  func pread(offset: Int64, count: Int, text: String) throws {
    try sandbox.write("f", "0123456789")
    #expect(try File(open: try path("f")).pread(upTo: count, at: offset).text == text)
  }

  @Test("A file of whole pages is read to its end", arguments: [4096, 8192, 8193, 100_000])
  func pages(size: Int) throws {
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 3) }
    try sandbox.write("f", bytes)
    let file = try File(open: try path("f"))
    #expect(try file.pread(upTo: size) == bytes)
    #expect(try file.pread(upTo: size + 5000) == bytes)
  }

  @Test("Reads continue where the last one ended; 0 is the end of the file")
  func read() throws {
    try sandbox.write("f", "0123456789")
    let file = try File(open: try path("f"))
    var buffer = [UInt8](repeating: 46, count: 8)
    #expect(try file.read(into: &buffer, from: 2) == 6)
    #expect(buffer.text == "..012345")
    var span = buffer.mutableSpan
    #expect(try file.read(into: &span) == 4)
    #expect(try file.read(into: &buffer, from: 0) == 0)
    try file.rewind()
    #expect(try file.read(into: &buffer, from: 0) == 8)
    #expect(buffer.text == "01234567")
  }

  @Test(
    "A file is replaced as a whole, with the mode asked for, and its draft is gone", arguments: [0o600, 0o640, 0o644])
  func replace(mode: UInt32) throws {
    try sandbox.write("f", "old and longer")
    try File.replace(try path("f"), with: Array("new".utf8), mode: mode, group: getegid())
    #expect(sandbox.text("f") == "new" && sandbox.list("") == ["f"])
    #expect(sandbox.status("f")?.st_mode == S_IFREG | mode)
  }

  @Test(
    "If a file cannot be replaced, the old one stays", arguments: ["mkdir f.new", "rm f; mkdir f"])
  func cannotReplace(command: String) throws {
    try sandbox.write("f", "old")
    try Command.check(["sh", "-ec", "cd \(sandbox.path); \(command)"])
    #expect(throws: SystemError.self) { try File.replace(try path("f"), with: Array("new".utf8)) }
    #expect(command.contains("rm f") ? sandbox.list("") == ["f"] : sandbox.text("f") == "old")
  }

  @Test("A table that is still being written is waited for until it is a second old; one of long ago is read at once")
  func unsteady() throws {
    try sandbox.write("steady", "table")
    #expect(try File.contents(of: try path("steady"), limit: 100, until: .never).text == "table")
    try Command.check(["sh", "-c", "echo half > \(sandbox("f"))"])
    #expect(try File.contents(of: try path("f"), limit: 100, until: .never).text == "half\n")
    #expect(try !stat(try path("f")).modified.isWithin(seconds: 1))
  }

  @Test("A table is not read after the deadline")
  func late() throws {
    try sandbox.write("f", "table")
    #expect(throws: SystemError(.open, try path("f").bytes, EBUSY)) {
      try File.contents(of: try path("f"), limit: 100, until: Deadline(secondsFromNow: 0))
    }
  }

  @Test("A file as long as the limit is read; one byte more is EFBIG, a device EINVAL, a missing file ENOENT")
  func limits() throws {
    try sandbox.write("f", "12345")
    #expect(try File.contents(of: try path("f"), limit: 5, until: .never).text == "12345")
    #expect(throws: SystemError(.open, try path("f").bytes, EFBIG)) {
      try File.contents(of: try path("f"), limit: 4, until: .never)
    }
    #expect(throws: SystemError(.open, "/dev/null".utf8, EINVAL)) {
      try File.contents(of: "/dev/null", limit: 4, until: .never)
    }
    #expect(throws: SystemError(.open, try path("g").bytes, ENOENT)) {
      try File.contents(of: try path("g"), limit: 4, until: .never)
    }
  }

  @Test("An unnamed file gets a name, unless the name is taken")
  func unnamed() throws {
    let directory = try directory()
    let file = try File(openat: directory, ".", [.unnamed, .writeOnly], mode: 0o600)
    try file.write(Array("text".utf8).span)
    #expect(sandbox.list("") == [])
    try directory.linkat(unnamed: file, as: "named")
    #expect(sandbox.text("named") == "text" && File.canNameUnnamedFiles)
    let other = try File(openat: directory, ".", [.unnamed, .writeOnly], mode: 0o600)
    #expect(throws: SystemError(.linkat, "named".utf8, EEXIST)) { try directory.linkat(unnamed: other, as: "named") }
    #expect(sandbox.text("named") == "text")
  }

  @Test("Directories are made, files linked and removed by names in an open directory")
  func names() throws {
    let directory = try directory()
    try directory.mkdirat("d", mode: 0o700)
    #expect(throws: SystemError(.mkdirat, "d".utf8, EEXIST)) { try directory.mkdirat("d", mode: 0o700) }
    try sandbox.write("f", "text")
    try directory.linkat("f", to: directory, as: "g")
    #expect(try directory.fstatat("f").links == 2 && directory.fstatat("g").identity == directory.fstatat("f").identity)
    try directory.unlinkat("f")
    #expect(throws: SystemError(.unlinkat, "f".utf8, ENOENT)) { try directory.unlinkat("f") }
    directory.unlinkIfThere("f")
    #expect(throws: SystemError.self) { try directory.unlinkat("d") }
    try path("g").remove()
    #expect(sandbox.list("") == ["d"])
  }

  @Test("The status of a file: its kind, size, mode, links; a symlink is followed only if asked")
  func status() throws {
    try sandbox.write("f", "12345", mode: 0o640)
    try Command.check(["sh", "-ec", "cd \(sandbox.path); mkdir d; mkfifo p; ln -s f s; ln -s nowhere x"])
    let directory = try directory()
    let file = try directory.fstatat("f")
    #expect(file.kind == .regular && file.size == 5 && file.permissions == 0o640 && file.links == 1)
    #expect(file.owner == UInt32(MailUser.id) && file.group == UInt32(MailUser.group))
    #expect(try directory.fstatat("d").kind == .directory && directory.fstatat("p").kind == .other)
    #expect(try directory.fstatat("s").kind == .symlink)
    #expect(try directory.fstatat("s", following: true).identity == file.identity)
    #expect(try directory.fstatatIfThere("x")?.kind == .symlink)
    #expect(try directory.fstatatIfThere("x", following: true) == nil)
    #expect(try directory.fstatatIfThere("none") == nil)
    // A name in a file is no missing file.
    #expect(throws: SystemError(.fstatat, "f/g".utf8, ENOTDIR)) { try directory.fstatatIfThere("f/g") }
    #expect(try stat(try path("s")).identity == file.identity)
    #expect(throws: SystemError(.fstatat, try path("x").bytes, ENOENT)) { try stat(try path("x")) }
  }

  @Test("Opening does not follow a symlink, create or truncate unless asked")
  func flags() throws {
    try sandbox.write("f", "text")
    try Command.check(["ln", "-s", "f", sandbox("s")])
    let directory = try directory()
    #expect(throws: SystemError(.openat, "s".utf8, ELOOP)) { _ = try File(openat: directory, "s", [.noFollow]) }
    #expect(throws: SystemError(.openat, "g".utf8, ENOENT)) { _ = try File(openat: directory, "g", [.readWrite]) }
    #expect(throws: SystemError(.openat, "f".utf8, EEXIST)) {
      _ = try File(openat: directory, "f", [.writeOnly, .create, .exclusive], mode: 0o600)
    }
    #expect(throws: SystemError(.openat, "f".utf8, ENOTDIR)) { _ = try File(openat: directory, "f", [.directory]) }
    try File(openat: directory, "f", [.writeOnly, .append]).write(Array(" more".utf8).span)
    #expect(sandbox.text("f") == "text more")
    _ = try File(openat: directory, "f", [.writeOnly, .truncate])
    #expect(sandbox.text("f") == "")
  }

  @Test("A file's descriptor is closed with its value, and has the flag that closes it on exec")
  func closing() throws {
    try sandbox.write("f", "text")
    let file = try File(open: try path("f"))
    // A number that no other test gets meanwhile.
    let descriptor = fcntl(file.descriptor, F_DUPFD, 900)
    #expect(fcntl(file.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    #expect(try File(owning: descriptor).pread(upTo: 10).text == "text")
    #expect(fcntl(descriptor, F_GETFD) == -1, "closed with the value")
  }

  @Test("The tests' directory is on a local file system; sysfs, an unknown type, counts as a network file system")
  func network() throws {
    #expect(try !directory().isOnNetworkFileSystem())
    #expect(try File(open: "/sys", [.directory]).isOnNetworkFileSystem())
  }

  @Test("Access is judged for our effective user")
  func access() throws {
    try sandbox.write("f", "", mode: 0o400)
    let mailUser = Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group))
    let path = try path("f")
    #expect(mailUser.acting { isAllowed(.reading, to: path) && !isAllowed(.execution, to: path) })
    #expect(!isAllowed(.reading, to: "/nonexistent"))
    #expect(isAllowed(.execution, to: "/bin/sh"))
  }
}

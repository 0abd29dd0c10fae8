// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A directory for one test, owned by the mail user and removed with the test.
package final class Sandbox: Sendable {
  package let path: String

  package init(below parent: String = FileManager.default.temporaryDirectory.path) throws {
    var template = Array("\(parent)/ullage-test-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw TestError("mkdtemp in \(parent): \(errorText(errno))") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    unsafe chmod(path, 0o755)
    unsafe chown(path, MailUser.id, MailUser.group)
  }

  deinit { remove() }

  /// Failure to remove a file does not fail the test. Repeats, since the last rename of a killed program
  /// may interfere.
  package func remove() {
    for _ in 0..<3 where FileManager.default.fileExists(atPath: path) {
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file that belongs to the mail user, making its directories.
  package func write(_ name: String, _ bytes: some Sequence<UInt8>, mode: mode_t = 0o600) throws {
    if let slash = name.lastIndex(of: "/") { try makeDirectory(String(name[..<slash])) }
    try writeFile(self(name), bytes)
    unsafe chmod(self(name), mode)
    unsafe chown(self(name), MailUser.id, MailUser.group)
    // Configuration and tables get an old mtime: a delivery would wait for a file written just now.
    if !name.contains("/") { unsafe utimes(self(name), [timeval(), timeval()]) }
  }

  package func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws {
    try write(name, Array(text.utf8), mode: mode)
  }

  package func makeDirectory(_ name: String) throws {
    var path = path
    for part in name.split(separator: "/") {
      path += "/" + part
      if unsafe mkdir(path, 0o700) == 0 { unsafe chown(path, MailUser.id, MailUser.group) }
    }
    var isDirectory: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue else {
      throw TestError("cannot make \(path)")
    }
  }

  /// Makes a Maildir, or a folder of one.
  package func makeMaildir(_ name: String) throws {
    for part in ["cur", "new", "tmp"] { try makeDirectory("\(name)/\(part)") }
  }

  package func bytes(_ name: String) -> [UInt8]? { FileManager.default.contents(atPath: self(name)).map { Array($0) } }

  package func text(_ name: String) -> String? { bytes(name).map { String(decoding: $0, as: UTF8.self) } }

  /// The names in a directory, sorted; empty when it does not exist.
  package func list(_ name: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: self(name))) ?? []).sorted()
  }

  package func status(_ name: String) -> stat? {
    var status = stat()
    return unsafe lstat(self(name), &status) == 0 ? status : nil
  }
}

/// Writes a file that belongs to the user of the tests. No program that another test starts meanwhile keeps it open.
package func writeFile(_ path: String, _ bytes: some Sequence<UInt8>) throws {
  let contents = Data(bytes)
  let isWritten = Command.withoutStartingPrograms { FileManager.default.createFile(atPath: path, contents: contents) }
  guard isWritten else { throw TestError("cannot write \(path)") }
}

/// Directories that live as long as the tests' process, and are removed when it exits.
package enum TestRun {
  package static let folder: Sandbox = {
    do {
      let folder = try Sandbox()
      atexit { TestRun.folder.remove() }
      return folder
    } catch { preconditionFailure("no temporary directory: \(error)") }
  }()

  /// For programs, which no other user may replace.
  package static let programs: Sandbox = {
    do {
      let folder = try Sandbox()
      unsafe chown(folder.path, geteuid(), getegid())
      atexit { TestRun.programs.remove() }
      return folder
    } catch { preconditionFailure("no temporary directory: \(error)") }
  }()
}

/// Receives the datagrams that a program sends to the system's log.
package final class LogReceiver {
  private let descriptor: Int32

  package init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    let result = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { throw TestError("bind \(path): \(errorText(errno))") }
    unsafe chmod(path, 0o666)
  }

  deinit { close(descriptor) }

  /// The lines that have arrived since the last call, each without its priority, time and tag.
  package func lines() -> [String] {
    datagrams().map { $0.components(separatedBy: "]: ").dropFirst().joined(separator: "]: ") }
  }

  package func datagrams() -> [String] {
    var lines: [String] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)), count >= 0 {
      lines.append(String(decoding: buffer[..<count], as: UTF8.self))
    }
    return lines
  }
}

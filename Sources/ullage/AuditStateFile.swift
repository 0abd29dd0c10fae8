// SPDX-License-Identifier: Apache-2.0
import Audit
import Foundation
import Posix

/// The file in which an audit remembers how far it is. It always holds a whole state: a new one takes its place at once.
final class AuditStateFile {
  private let name: String
  private let path: Path
  private var saved = ContinuousClock.now

  init(_ name: String) throws {
    guard let path = Path(name.utf8) else {
      throw CommandError(status: ExitStatus.usage, text: "--state: the name holds NUL")
    }
    self.name = name
    self.path = path
  }

  /// The state of a run that was broken off, nil when there is none. One of a run with other options, or that cannot be
  /// read, is set aside with a word.
  func load(options: String) throws -> AuditState? {
    guard FileManager.default.fileExists(atPath: name) else { return nil }
    let data: Data
    do { data = Data(try File.contents(of: path, limit: 1 << 30, until: .never)) } catch {
      throw CommandError(status: ExitStatus.configuration, text: String(decoding: error.text, as: UTF8.self))
    }
    guard let state = try? JSONDecoder().decode(AuditState.self, from: data) else {
      StandardStream.writeError("ullage: audit: \(name) is not the state of an audit; the audit begins anew\n")
      return nil
    }
    guard state.options == options else {
      StandardStream.writeError(
        "ullage: audit: \(name) is of an audit with other options (\(state.options)); this one begins anew\n")
      return nil
    }
    StandardStream.writeError(
      "ullage: audit: going on with the one that was broken off after \(state.mailboxes) mailboxes; see \(name)\n")
    return state
  }

  /// - Parameter seconds: nothing is written when less has passed since the last time.
  func save(_ state: AuditState, atMostEvery seconds: Int = 0) throws {
    guard ContinuousClock.now - saved >= .seconds(seconds) else { return }
    saved = .now
    let encoder = JSONEncoder()
    try File.replace(path, with: Array(try encoder.encode(state)))
  }

  func remove() throws {
    guard FileManager.default.fileExists(atPath: name) else { return }
    try FileManager.default.removeItem(atPath: name)
  }
}

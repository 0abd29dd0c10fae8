// SPDX-License-Identifier: Apache-2.0
import Audit
import Foundation
import Posix
import Text

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

  /// The state of a run that was broken off, nil when there is none. One of a run with other options is set
  /// aside with a word.
  func load(options: String) throws -> AuditState? {
    guard FileManager.default.fileExists(atPath: name) else { return nil }
    let data: Data
    do { data = Data(try File.contents(of: path, limit: 1 << 30, until: .never)) } catch {
      throw CommandError(status: ExitStatus.configuration, text: error.shown)
    }
    guard !data.isEmpty else { return nil }
    // It may be anything, most likely something that is still needed.
    guard let state = try? JSONDecoder().decode(AuditState.self, from: data) else {
      throw CommandError(
        status: ExitStatus.configuration,
        text: "--state \(name): that is not the state of an audit; name another file, or remove it")
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
    let text = Array(try JSONEncoder().encode(state))
    do throws(SystemError) { try File.replace(path, with: text) } catch {
      let isMistake = [Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES, Errno.EISDIR].contains(error.number)
      throw CommandError(
        status: isMistake ? ExitStatus.configuration : ExitStatus.tryAgain,
        text: "--state \(name) cannot be written: \(error.shown)")
    }
  }

  func remove() throws {
    guard FileManager.default.fileExists(atPath: name) else { return }
    try FileManager.default.removeItem(atPath: name)
  }
}

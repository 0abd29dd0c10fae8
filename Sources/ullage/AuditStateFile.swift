// SPDX-License-Identifier: Apache-2.0
import Audit
import Foundation
import Posix
import Text

/// The file in which an audit stores its progress. Replaced atomically, so it always holds a whole state.
final class AuditStateFile {
  private let name: String
  private let path: Path
  private var saved = ContinuousClock.now

  init(_ name: String) throws {
    guard let path = Path(name.utf8) else {
      throw CommandError(status: ExitStatus.usage, text: "--state: the name contains NUL")
    }
    self.name = name
    self.path = path
  }

  /// The state of an interrupted run, nil if there is none. That of a run with other options is reported and
  /// ignored.
  func load(options: String) throws -> AuditState? {
    guard FileManager.default.fileExists(atPath: name) else { return nil }
    let data: Data
    do { data = Data(try File.contents(of: path, limit: 1 << 30, until: .never)) } catch {
      throw CommandError(status: ExitStatus.configuration, text: error.shown)
    }
    guard !data.isEmpty else { return nil }
    // Do not overwrite a file that is not ours.
    guard let state = try? JSONDecoder().decode(AuditState.self, from: data) else {
      throw CommandError(
        status: ExitStatus.configuration,
        text: "--state \(name): that is not the state of an audit; name another file, or remove it")
    }
    guard state.options == options else {
      StandardStream.writeError(
        "ullage: audit: \(name) belongs to an audit with other options (\(state.options)); starting over\n")
      return nil
    }
    StandardStream.writeError(
      "ullage: audit: resuming the audit that was interrupted after \(state.mailboxes) mailboxes; see \(name)\n")
    return state
  }

  /// - Parameter seconds: nothing is written if less time has passed since the last call that wrote.
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

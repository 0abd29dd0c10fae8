// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Posix
import Text

/// Why the state file of an audit cannot be used.
package enum AuditStateError: ExplainedError {
  case unreadable(SystemError)
  /// It may be any file, most likely one that is still needed.
  case notAState(String)
  case unwritable(String, SystemError)

  /// The administrator must correct something first.
  package var isMistake: Bool {
    switch self {
    case .unreadable, .notAState: true
    case .unwritable(_, let error):
      [Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES, Errno.EISDIR].contains(error.number)
    }
  }

  package var sentence: [UInt8] {
    switch self {
    case .unreadable(let error): error.sentence
    case .notAState(let name):
      Array("--state \(name): that is not the state of an audit; name another file, or remove it".utf8)
    case .unwritable(let name, let error): Array("--state \(name) cannot be written or removed: ".utf8) + error.sentence
    }
  }
}

/// The file in which an audit stores its progress. It always holds a whole state: a new one replaces it atomically.
package final class AuditStateFile {
  private let path: Path
  private var saved = ContinuousClock.now

  package init(_ path: Path) {
    self.path = path
  }

  /// What the file holds.
  package enum Content: Equatable, Sendable {
    case nothing
    /// The state of an interrupted run with the same options.
    case interrupted(AuditState)
    /// The state of a run with these other options.
    case other(options: String)
  }

  package func load(options: String) throws(AuditStateError) -> Content {
    let bytes: [UInt8]
    do { bytes = try File.contents(of: path, limit: 1 << 30, until: .never) } catch {
      guard error.number == Errno.ENOENT else { throw .unreadable(error) }
      return .nothing
    }
    guard !bytes.isEmpty else { return .nothing }
    let state: AuditState
    do { state = try JSONDecoder().decode(AuditState.self, from: Data(bytes)) } catch { throw .notAState(path.text) }
    return state.options == options ? .interrupted(state) : .other(options: state.options)
  }

  /// - Parameter seconds: nothing is written when less has passed since the last time.
  package func save(_ state: AuditState, atMostEvery seconds: Int = 0) throws {
    guard ContinuousClock.now - saved >= .seconds(seconds) else { return }
    saved = .now
    let text = Array(try JSONEncoder().encode(state))
    do throws(SystemError) { try File.replace(path, with: text) } catch {
      throw AuditStateError.unwritable(path.text, error)
    }
  }

  package func remove() throws(AuditStateError) {
    do { try path.remove() } catch {
      guard error.number != Errno.ENOENT else { return }
      throw .unwritable(path.text, error)
    }
  }
}

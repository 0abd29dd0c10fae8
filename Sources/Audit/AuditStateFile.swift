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
  /// Another audit uses the file.
  case inUse(String)

  /// The administrator must correct something first.
  package var isMistake: Bool {
    switch self {
    case .unreadable, .notAState: true
    case .inUse: false
    case .unwritable(_, let error):
      [Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES, Errno.EISDIR].contains(error.number)
    }
  }

  package var sentence: [UInt8] {
    switch self {
    case .unreadable(let error): error.sentence
    case .notAState(let name):
      Array("--state \(name): that is not the state of an audit; name another file, or remove it".utf8)
    case .inUse(let name): Array("--state \(name): another audit is using it; wait for its end".utf8)
    case .unwritable(let name, let error): Array("--state \(name) cannot be written or removed: ".utf8) + error.sentence
    }
  }
}

/// The file in which an audit stores its progress. It always holds a whole state: a new one replaces it atomically.
///
/// It belongs to the owner of its directory, so that the nightly audit can continue what root began by hand.
package final class AuditStateFile {
  private let path: Path
  private var saved = ContinuousClock.now
  /// The lock that keeps other audits away, on a file beside the state, which is replaced again and again.
  private var lock: File?

  package init(_ path: Path) {
    self.path = path
  }

  /// Keeps the file for this process.
  package func acquire() throws(AuditStateError) {
    guard let name = Path(path.bytes + Array(".lock".utf8)) else { preconditionFailure("a NUL that Path let in") }
    do throws(SystemError) {
      let file = try openLock(name)
      try file.flockExclusive(until: Deadline(secondsFromNow: 0))
      lock = consume file
    } catch {
      throw error.number == Errno.ETIMEDOUT ? .inUse(path.text) : .unwritable(path.text, error)
    }
  }

  /// In another user's directory an existing file may be anything, a second name of any file too: it is opened without
  /// waiting, and neither written to nor given away.
  private func openLock(_ name: Path) throws(SystemError) -> File {
    do {
      let file = try File(open: name, [.readWrite, .create, .exclusive], mode: 0o600)
      if let owner = try owner() { try file.fchown(owner: owner.user, group: owner.group) }
      return file
    } catch {
      guard error.number == Errno.EEXIST else { throw error }
    }
    return try File(open: name, [.readWrite, .noFollow, .nonBlocking])
  }

  /// The owner of the directory, to whom root gives the files; nil where the process is not root.
  private func owner() throws(SystemError) -> Credentials? {
    guard CurrentProcess.effectiveUser == 0 else { return nil }
    let slash = path.bytes.lastIndex(of: UInt8(ascii: "/"))
    let directory = slash.flatMap { Path(path.bytes[..<$0] + Array("/".utf8)) } ?? "."
    let status = try stat(directory)
    return Credentials(user: status.owner, group: status.group)
  }

  /// What the file holds.
  package enum Content: Equatable, Sendable {
    case nothing
    /// The state of an interrupted run with the same options.
    case interrupted(AuditState)
    /// The state of a run with these other options.
    case other(options: String)
    /// The state of another version of this program, which may have a different form.
    case otherVersion
  }

  package func load(options: String) throws(AuditStateError) -> Content {
    let bytes: [UInt8]
    do { bytes = try File.contents(of: path, limit: 1 << 30, until: .never) } catch {
      guard error.number == Errno.ENOENT else { throw .unreadable(error) }
      return .nothing
    }
    guard !bytes.isEmpty else { return .nothing }
    let state: AuditState
    do {
      let head = try JSONDecoder().decode(Head.self, from: Data(bytes))
      guard head.version != nil || head.night != nil else { throw AuditStateError.notAState(path.text) }
      guard head.version == AuditState.currentVersion else { return .otherVersion }
      state = try JSONDecoder().decode(AuditState.self, from: Data(bytes))
    } catch { throw .notAState(path.text) }
    return state.options == options ? .interrupted(state) : .other(options: state.options)
  }

  /// What every version writes, the first one without a version.
  private struct Head: Decodable {
    let options: String
    let version: Int?
    /// In the first form.
    let night: Int?
  }

  /// - Parameter seconds: nothing is written when less has passed since the last time.
  package func save(_ state: AuditState, atMostEvery seconds: Int = 0) throws {
    guard ContinuousClock.now - saved >= .seconds(seconds) else { return }
    saved = .now
    try write(Array(try JSONEncoder().encode(state)), to: path)
  }

  /// The clean point of the last audit over the whole list, nil before the first. A damaged one counts for the
  /// beginning of time.
  package func cleanPoint() throws(AuditStateError) -> CleanPoint? {
    let bytes: [UInt8]
    do { bytes = try File.contents(of: cleanPointPath, limit: 1 << 20, until: .never) } catch {
      guard error.number == Errno.ENOENT else { throw .unreadable(error) }
      return nil
    }
    do { return try JSONDecoder().decode(CleanPoint.self, from: Data(bytes)) } catch {
      return CleanPoint(boot: "", time: 0)
    }
  }

  package func save(_ point: CleanPoint) throws {
    try write(Array(try JSONEncoder().encode(point)), to: cleanPointPath)
  }

  /// It stays when the state is removed.
  private var cleanPointPath: Path {
    guard let path = Path(path.bytes + Array(".clean".utf8)) else { preconditionFailure("a NUL that Path let in") }
    return path
  }

  private func write(_ text: [UInt8], to path: Path) throws(AuditStateError) {
    do throws(SystemError) {
      let owner = try owner()
      try File.replace(path, with: text, owner: owner?.user, group: owner?.group)
    } catch {
      throw .unwritable(path.text, error)
    }
  }

  package func remove() throws(AuditStateError) {
    do { try path.remove() } catch {
      guard error.number != Errno.ENOENT else { return }
      throw .unwritable(path.text, error)
    }
  }
}

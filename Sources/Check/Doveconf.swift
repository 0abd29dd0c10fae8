// SPDX-License-Identifier: Apache-2.0
import Posix
import Text

/// Runs Dovecot's own program that reads its configuration.
enum Doveconf {
  static let usualFile = "/etc/dovecot/dovecot.conf"
  private static let programs: [Path] = ["/usr/bin/doveconf", "/usr/local/bin/doveconf"]

  enum Failure: Error {
    case noProgram
    /// Its first complaint.
    case failed(String)
  }

  static func output(_ arguments: [Path]) throws(Failure) -> String {
    guard let program = programs.first(where: { isAllowed(.execution, to: $0) }) else { throw .noProgram }
    let ending: ChildProcess.Ending
    do {
      ending = try ChildProcess.run(program, arguments, limit: 1 << 20, until: Deadline(secondsFromNow: 20))
    } catch { throw .failed(error.shown) }
    guard ending.status == 0 else {
      throw .failed(ending.errors.text.split(separator: "\n").first.map(String.init) ?? "it failed without a message")
    }
    return ending.output.text
  }
}

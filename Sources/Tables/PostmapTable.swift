// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Text

/// Any other type of table, queried through Postfix's `postmap -q` (postmap(1)), one process per query.
final class PostmapTable: LookupTable {
  private let reference: TableReference
  private let name: Path

  /// The types in which Postfix looks up whole addresses only.
  private static let patternTypes: Set<String> = ["regexp", "pcre", "cidr", "tcp", "randmap", "fail"]
  /// Where distributions install it; pipe(8)'s search path may not include it.
  private static let programs: [Path] = ["/usr/sbin/postmap", "/usr/local/sbin/postmap"]
  /// Bytes: as much as a line of a Postfix table can hold.
  private static let longestOutput = 1 << 20

  var takesWholeAddressesOnly: Bool { Self.patternTypes.contains(reference.type) }

  init(_ reference: TableReference) throws(TableError) {
    self.reference = reference
    guard !reference.name.isEmpty, let name = Path(Array("\(reference.type):".utf8) + reference.name) else {
      throw TableError(.configuration, reference.text, "the name is empty or contains NUL")
    }
    self.name = name
  }

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? {
    // With "-" postmap would read keys from its input. An argument cannot hold NUL.
    guard !query.key.isEmpty, !query.key.elementsEqual("-".utf8), let key = Path(query.key) else { return nil }
    let ending = try run(key, until: query.deadline)
    let complaints = ending.errors.split(separator: UInt8(ascii: "\n")).filter { !$0.contains(text: ": warning: ") }
    switch ending.status {
    case 0:
      guard ending.output.count < Self.longestOutput else { throw failed("the result is too long") }
      guard ending.output.last == UInt8(ascii: "\n"), ending.output.count > 1 else {
        throw TableError(.configuration, reference.text, "the result for \"\(key.bytes.text)\" is empty")
      }
      return ending.output.dropLast()
    // Status 1 means "not found", but with a complaint the answer is unknown.
    case 1 where complaints.isEmpty && ending.output.isEmpty: return nil
    default: throw failed(complaints.first?.text ?? ending.status.map { "status \($0)" } ?? "killed by a signal")
    }
  }

  private func run(_ key: Path, until deadline: Deadline) throws(TableError) -> ChildProcess.Ending {
    var failure = SystemError(.posix_spawn, "/usr/sbin/postmap".utf8, Errno.ENOENT)
    for program in Self.programs {
      do {
        return try ChildProcess.run(program, ["-q", key, name], limit: Self.longestOutput, until: deadline)
      } catch {
        failure = error
        guard error.number == Errno.ENOENT else { break }
      }
    }
    let remedy = failure.number == Errno.ENOENT ? "; tables of this type need Postfix's own programs" : ""
    throw failed(failure.number == Errno.ETIMEDOUT ? "no answer in time" : failure.shown + remedy)
  }

  private func failed(_ reason: String) -> TableError {
    TableError(
      .temporary, reference.text, "postmap -q failed: \(reason)",
      // postmap(1)'s own words, where a package such as postfix-mysql is missing.
      isUnsupportedType: reason.utf8.contains(text: "unsupported dictionary type"))
  }
}

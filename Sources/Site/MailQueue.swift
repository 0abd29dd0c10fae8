// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Text

/// Mail that waits in Postfix's queue, by postqueue(1), which must be from Postfix 3.1 or later.
package struct MailQueue: Sendable {
  /// A message that could not be delivered yet.
  package struct Message: Equatable, Sendable {
    package let id: String
    /// Bytes, about what it will take in a mailbox.
    package let size: Int64
    /// Those that it has not reached.
    package let recipients: [[UInt8]]
  }

  /// Why the queue cannot be read, or a message not be tried again.
  package struct Failure: ExplainedError {
    package let sentence: [UInt8]
  }

  package let deferred: [Message]

  /// The queue of the Postfix on this host.
  package init() throws(Failure) {
    deferred = Self.messages(in: try Self.postqueue("-j"))
  }

  /// Bytes: some hundred thousand messages.
  private static let longestOutput = 256 << 20

  /// The deferred messages in the output of `postqueue -j`: one JSON object a line. What is active is tried now, and
  /// what is on hold must stay there.
  static func messages(in output: [UInt8]) -> [Message] {
    let decoder = JSONDecoder()
    return output.split(separator: UInt8(ascii: "\n")).compactMap { line in
      let entry: Entry
      // A line that is cut off, or that a later Postfix writes differently.
      do { entry = try decoder.decode(Entry.self, from: Data(line)) } catch { return nil }
      guard entry.queue_name == "deferred", entry.queue_id.utf8.allSatisfy({ $0.isDigit || $0.isASCIILetter }) else {
        return nil
      }
      return Message(
        id: entry.queue_id, size: entry.message_size, recipients: entry.recipients.map { Array($0.address.utf8) })
    }
  }

  private struct Entry: Decodable {
    struct Recipient: Decodable { let address: String }
    let queue_name: String
    let queue_id: String
    let message_size: Int64
    let recipients: [Recipient]
  }

  /// Lets Postfix deliver a message now, to all of its recipients.
  package static func retry(_ id: String) throws(Failure) {
    guard let id = Path(id.utf8) else { return }
    _ = try postqueue("-i", id)
  }

  private static func postqueue(_ arguments: Path...) throws(Failure) -> [UInt8] {
    var failure: SystemError?
    for program in [Path("/usr/sbin/postqueue"), "/usr/local/sbin/postqueue"] {
      let ending: ChildProcess.Ending
      do {
        ending = try ChildProcess.run(program, arguments, limit: longestOutput, until: Deadline(secondsFromNow: 60))
      } catch {
        failure = failure ?? error
        continue
      }
      guard ending.status != 0 else { return ending.output }
      let reason = ending.errors.isEmpty ? Array("ended by a signal".utf8) : Array(ending.errors.trimmed)
      throw Failure(sentence: Array("postqueue \(arguments[0].text): ".utf8) + reason)
    }
    throw Failure(sentence: failure?.sentence ?? [])
  }
}

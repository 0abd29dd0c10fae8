// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Sweep
import Tables
import Text

/// The usage that an audit publishes. An error ends the publication and not the audit, which has repairs to make.
final class AuditPublication {
  private var publication: UsagePublication?
  private var failure: CommandError?

  init(_ settings: Settings, _ configurationFile: String, waiting: @escaping (TableError) -> Void) {
    attempt {
      publication = try UsagePublication(settings, configurationFile, isDry: false, waiting: waiting, say: Self.say)
    }
  }

  private static func say(_ text: String) { StandardStream.writeError("ullage: audit: \(text)\n") }

  private func attempt(_ body: () throws -> Void) {
    do { try body() } catch {
      let failure = CommandError(error)
      Self.say("the usage is not published: \(failure.shown)")
      self.failure = failure
      publication = nil
    }
  }

  func note(repeated rows: [(address: [UInt8], count: Int64)]) { attempt { try publication?.note(repeated: rows) } }

  func take(_ visit: Visit) { attempt { try publication?.take(visit) } }

  func idle() { attempt { try publication?.idle() } }

  func finish(isWhole: Bool) { attempt { try publication?.finish(isWhole: isWhole) } }

  /// - Parameter status: what the audit itself ends with.
  func status(beside status: Int32) -> Int32 {
    if let failure { return failure.status }
    return (publication?.refused ?? 0) > 0 ? ExitStatus.incomplete : status
  }
}

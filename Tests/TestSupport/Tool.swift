// SPDX-License-Identifier: Apache-2.0
import Foundation

/// `ullage`, the administrator's tool, with the ullage.cf of a mail host.
extension MailHost {
  /// - Parameter asMailUser: if false, it runs as the user that runs the tests.
  package func ullage(
    _ arguments: String..., environment: [String: String] = [:], asMailUser: Bool = true
  ) throws -> Command.Ending {
    try ullage(arguments, environment: environment, asMailUser: asMailUser)
  }

  package func ullage(
    _ arguments: [String], environment: [String: String] = [:], asMailUser: Bool = true
  ) throws -> Command.Ending {
    try Command.run(toolArguments(arguments), environment: environment, asMailUser: asMailUser)
  }

  package func toolArguments(_ arguments: [String]) -> [String] {
    [Programs.path("ullage"), arguments[0], "--config=\(sandbox("ullage.cf"))"] + arguments.dropFirst()
  }
}

/// The values of one line that a command wrote with --format jsonl, as text; null is nil.
package func fields(_ line: some StringProtocol) throws -> [String: String] {
  let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
  guard let values = object as? [String: Any] else { throw TestError("not a JSON object: \(line)") }
  return values.compactMapValues { $0 is NSNull ? nil : "\($0)" }
}

extension Command.Ending {
  /// The JSON lines of the output.
  package var records: [[String: String]] {
    get throws { try output.split(separator: "\n").map { try fields($0) } }
  }
}

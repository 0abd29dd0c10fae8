// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The files of the project that the tests read or run where they stand.
package enum Project {
  package static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  package static func path(_ name: String) -> String { "\(directory)/\(name)" }

  package static func text(_ name: String) throws -> String {
    try String(contentsOfFile: path(name), encoding: .utf8)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix

/// Text on its way to standard output, written in large pieces.
package final class Output {
  private var buffer: [UInt8] = []
  private let sink: ([UInt8]) throws -> Void
  private let encoder = JSONEncoder()

  /// - Parameter sink: takes the pieces.
  package init(to sink: @escaping ([UInt8]) throws -> Void) {
    self.sink = sink
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  }

  /// Standard output. If its reader has ended (`| head`), this process ends quietly, too.
  package static func standard() -> Output {
    Output { bytes in
      do throws(SystemError) { try StandardStream.writeAll(bytes) } catch {
        if error.number == Errno.EPIPE { CurrentProcess.endByBrokenPipe() }
        throw error
      }
    }
  }

  package func write(_ text: String) throws {
    buffer += text.utf8
    if buffer.count >= 65536 { try flush() }
  }

  func writeJSON(_ value: some Encodable) throws {
    buffer += try encoder.encode(value)
    if buffer.count >= 65536 { try flush() }
  }

  package func flush() throws {
    guard !buffer.isEmpty else { return }
    defer { buffer = [] }
    try sink(buffer)
  }
}

import Foundation
// SPDX-License-Identifier: Apache-2.0
import FuzzTargets
import Testing

/// Inputs that a fuzzer has found to be interesting, or that were wrong once (`Tests/Fuzz`).
struct CorpusTests {
  @Test(
    "Each input of the corpus, each of its beginnings, and each with a bit turned, keeps the promise",
    arguments: FuzzTarget.allCases)
  func corpus(target: FuzzTarget) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fuzz/\(target.rawValue)")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    try #require(files.count >= 5)
    for file in files {
      let bytes = Array(try Data(contentsOf: file))
      for end in 0...bytes.count { target.run(Array(bytes[..<end])) }
      for index in bytes.indices {
        var turned = bytes
        turned[index] ^= 1 << UInt8(index % 8)
        target.run(turned)
      }
    }
  }
}

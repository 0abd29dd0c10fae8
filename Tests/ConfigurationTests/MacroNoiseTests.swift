// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Text

@testable import Configuration

struct MacroNoiseTests {
  @Test("Whatever a value holds, it is expanded or refused; only names that it mentions are looked up")
  func expansion() {
    var expanded = 0
    for text in Noise(["$", "$$", "${", "}", "$(", ")", "a", "b", "?", ":", "{", " ", "x"]) {
      let names = Macro.names(in: text)
      var asked: Set<String> = []
      do throws(ConfigurationError) {
        let result = try Macro.expand(text, line: 1) { name throws(ConfigurationError) in
          asked.insert(name)
          return name == "a" ? Array("1".utf8) : name == "b" ? [] : nil
        }
        expanded += 1
        if !text.contains(UInt8(ascii: "$")) { #expect(result == text) }
      } catch { #expect(error.line == 1) }
      #expect(asked.isSubset(of: names), "\(text.text): \(asked), \(names)")
    }
    #expect(expanded > 500)
  }
}

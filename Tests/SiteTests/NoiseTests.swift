// SPDX-License-Identifier: Apache-2.0
import Configuration
import TestSupport
import Testing
import Text

@testable import Site

/// Postfix's files with anything in them.
struct NoiseTests {
  @Test("Whatever main.cf holds, it is read or refused with the line, and a value is one line")
  func main() {
    var accepted = 0
    for text in Noise(["a", "b=", " = ", "=", "\n", "\n ", "#", "$a", "\t", "\r"]) {
      do throws(ConfigurationError) {
        let entries = try MainFile(parsing: text).entries
        accepted += 1
        let lines = text.count { $0 == UInt8(ascii: "\n") } + 1
        #expect(entries.values.allSatisfy { (1...lines).contains($0.line) && !$0.value.contains(UInt8(ascii: "\n")) })
      } catch { #expect(error.line != nil) }
    }
    #expect(accepted > 500)
  }

  @Test("Whatever master.cf holds, it is read or refused with the line")
  func master() {
    var accepted = 0
    for text in Noise([
      "a unix - n n - - pipe ", "b inet n - y - 20 smtpd ", "\n", "\n ", "#", "-o ", "x=1 ", "{", "}", " ",
    ]) {
      do throws(ConfigurationError) { accepted += try MasterFile(parsing: text).services.count } catch {
        #expect(error.line != nil)
      }
    }
    #expect(accepted > 500)
  }

  @Test("An entry of pipe(8) that was read can be written with another attribute, and read again")
  func writing() throws {
    var written = 0
    for text in Noise(
      ["-ox=y ", "-o x=1 ", "user=u ", "{ a b } ", "${s} ", "-v ", "flags=DR ", "null_sender= "], length: 6)
    {
      let entry = Array("a unix - n n - - pipe ".utf8) + text + Array(" argv=/p x=1".utf8)
      let service = try #require(try MasterFile(parsing: entry).services.first)
      let again = "a unix - n n - - \(service.commandLine(setting: [("flags", "O")], running: service.program))"
      let read = try #require(try MasterFile(parsing: Array(again.utf8)).services.first)
      #expect(read.attributes == service.attributes.merging(["flags": "O"]) { $1 }, "\(again)")
      #expect(read.program == service.program && read.overrides == service.overrides, "\(again)")
      written += 1
    }
    #expect(written == 5000)
  }
}

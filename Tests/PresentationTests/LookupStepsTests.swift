// SPDX-License-Identifier: Apache-2.0
import Configuration
import Synchronization
import Tables
import Testing

@testable import Presentation

/// What `ullage map --all-steps` prints.
struct LookupStepsTests {
  /// The lines, with `N` for each time.
  private static func lines(_ steps: [LookupStep]) -> [String] {
    let lines = Mutex<[String]>([])
    let printer = LookupSteps { line in lines.withLock { $0.append(line) } }
    for step in steps { printer.observer(step) }
    return lines.withLock { $0 }.map { $0.replacing(/\(\d+\.\d ms\)/, with: "(N ms)") }
  }

  @Test("Each key and table, the statement, the answer and its time")
  func steps() throws {
    let table = try #require(TableReference(Array("pgsql:/t.cf".utf8)))
    #expect(
      Self.lines([
        .asked(table, key: Array("a@b".utf8)), .statement(Array("SELECT 1".utf8)),
        .answered(.success(Array("x/".utf8))),
        .asked(table, key: Array("@b".utf8)), .answered(.success(nil)),
        .asked(table, key: Array("b".utf8)), .answered(.failure(TableError(configuration: "/t.cf: no hosts"))),
      ]) == [
        "a@b in pgsql:/t.cf", "    SELECT 1", "    found: x/ (N ms)", "@b in pgsql:/t.cf", "    not found (N ms)",
        "b in pgsql:/t.cf", "    no answer: /t.cf: no hosts (N ms)",
      ])
  }

  @Test("Control characters of a key or an answer are shown, not sent to the terminal")
  func hostile() throws {
    let table = try #require(TableReference(Array("static:x".utf8)))
    let lines = Self.lines([
      .asked(table, key: Array("\u{1B}[2J@b".utf8)), .answered(.success(Array("x\ny".utf8))),
    ])
    #expect(lines.allSatisfy { $0.unicodeScalars.allSatisfy { $0.value >= 32 } } && lines.count == 2)
  }
}

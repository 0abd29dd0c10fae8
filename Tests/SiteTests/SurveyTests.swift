// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import TestSupport
import Testing
import Text

@testable import Site

/// What is read from tables and from Postfix's own programs.
struct SurveyTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func survey() throws -> Survey {
    Survey(try PostfixFiles(sandbox, main: "compatibility_level = 3.6\n").path)
  }

  @Test("The entries of a table's text, as Postfix splits its lines")
  func entries() throws {
    try sandbox.write("t", "# comment\na.example  virtual:\n b\n\nc.example\tsmtp:[x] # data\nalone\n", mode: 0o644)
    try Command.check(["touch", "-d", "-1 hour", sandbox("t")])
    let entries = try survey().entries(try table("texthash:\(sandbox("t"))"))
    #expect(entries?.map(\.key) == ["a.example", "c.example"])
    #expect(entries?.map(\.value) == ["virtual: b", "smtp:[x] # data"])
  }

  @Test("Those of an inline table; a file that is missing has none")
  func inline() throws {
    let entries = try survey().entries(try table("inline:{ a=1, {b = 2 3} }"))
    #expect(entries?.map { "\($0.key)|\($0.value)" } == ["a|1", "b|2 3"])
    #expect(try survey().entries(try table("hash:\(sandbox("none"))")) == nil)
  }

  @Test("The values of some keys, without those that have none")
  func values() throws {
    #expect(try survey().values(["a", "b", "c"], in: try table("inline:{ a=1, c=3 }")) == ["1", "3"])
    #expect(try survey().values(["a"], in: try table("texthash:/nonexistent")) == [])
  }

  @Test("What is wrong with a table is a sentence; nothing is nil")
  func mistake() throws {
    #expect(try survey().mistake(try table("static:x")) == nil)
    #expect(try survey().mistake(try table("texthash:/nonexistent"))?.contains("/nonexistent") == true)
    #expect(try survey().mistake(try table("proxy:nonsense")) != nil)
  }

  @Test("A database that cannot be asked is a reason, not an error")
  func ask() throws {
    try sandbox.write("d.cf", "hosts = /nonexistent\ndbname = d\nquery = SELECT '%s'\n", mode: 0o644)
    guard case .failure(let failure) = try survey().ask(try table("pgsql:\(sandbox("d.cf"))"), "SELECT 1") else {
      Issue.record("an answer")
      return
    }
    #expect(failure.text.contains("/nonexistent"))
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The real `ullage map`, compared with the real `postmap -q`.
struct MapTests {
  private let host: MailHost

  init() throws {
    host = try MailHost("recipient_delimiter = +")
    try host.sandbox.write("postfix/main.cf", "compatibility_level = 3.6\n", mode: 0o644)
  }

  private func map(_ arguments: String...) throws -> Command.Ending {
    try Command.run(
      [Programs.path("ullage"), "map", "--config=\(host.sandbox("ullage.cf"))"] + arguments, asMailUser: true)
  }

  /// The result of a lookup.
  private enum Answer: Equatable {
    case found(String), notFound, failed

    var kind: String {
      switch self {
      case .found: "found"
      case .notFound: "not found"
      case .failed: "failed"
      }
    }

    init(postmap ending: Command.Ending) {
      let complains = ["fatal:", "error:"].contains { ending.errors.contains($0) }
      self = complains ? .failed : ending.status == 0 ? .found(ending.output) : .notFound
    }

    init(ullage ending: Command.Ending) {
      switch ending.status {
      case 0: self = .found(ending.output)
      case 1 where ending.errors.isEmpty: self = .notFound
      default: self = .failed
      }
    }
  }

  // MARK: the same as postmap -q

  private static let locals = [
    "you", "YOU", "o'brien", "a''b", "a\\b", "a\\'b", "\\", "'", "%s", "%", "100%%", "%u@%d", "ümlaut", "ÜMLAUT", "日本",
    "e\u{301}", "you+box", "you+", "+box", "you-box", "a.b", ".a", "a b", "\"a b\"", "$1", "--", "/*", ";", "E'x",
    "err",
    "",
  ]
  private static let domains = [
    "@example.org", "@EXAMPLE.org", "@sub.example.org", "@a..org", "@münchen.example", "@e'x.org", "@%d.org", "@tld",
    "@",
    "@b@example.org", "@example.org.", "",
  ]
  private static let keys = (domains.flatMap { domain in locals.map { $0 + domain } } + generated).filter { $0 != "" }

  /// Short texts of characters special to SQL, templates and addresses; the same in every run.
  private static var generated: [String] {
    let characters = Array("'\\%@.+a\"ü s1")
    var state: UInt64 = 2026
    return (0..<200).map { _ in
      // A linear congruential generator (Knuth, MMIX).
      String(
        (0..<6).map { _ in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return characters[Int(state >> 33) % characters.count]
        })
    }
  }

  /// - Parameter kinds: the kinds of answer that must occur, or the comparison would prove little.
  private func compare(_ table: String, expecting kinds: Set<String>) throws {
    var seen: Set<String> = []
    // Many in parallel: a postmap that fails pauses for seconds before it exits.
    let program = ["postmap", "-c", host.sandbox("postfix"), "-q"]
    let theirs = try stride(from: 0, to: Self.keys.count, by: 40).flatMap { start in
      try Self.keys[start...].prefix(40).map { try Command(program + [$0, table], asMailUser: true) }.map { $0.wait() }
    }
    for (key, theirs) in zip(Self.keys, theirs) {
      let ours = try map("--", key, table)
      #expect(Answer(ullage: ours) == Answer(postmap: theirs), "\(key): \(ours), \(theirs)")
      seen.insert(Answer(postmap: theirs).kind)
    }
    #expect(seen == kinds)
  }

  @Test("For over 500 keys, PostgreSQL answers as with postmap -q: values, nothing, and errors (pgsql_table(5))")
  func pgsql() throws {
    #expect(Set(Self.keys).count >= 500)
    let cluster = try Shared.cluster()
    try Self.answers.get()
    // Keys that begin with err make the server report an error.
    let query = "SELECT v FROM answers WHERE k = '%s' AND 1 / (CASE WHEN k LIKE 'err%%' THEN 0 ELSE 1 END) = 1"
    try host.sandbox.write("table.cf", cluster.tableFile(query), mode: 0o644)
    try compare("pgsql:\(host.sandbox("table.cf"))", expecting: ["found", "not found", "failed"])
  }

  /// Half of the keys, in lower case, in the shared cluster.
  private static let answers = Result {
    let half = Set(keys.enumerated().filter { $0.offset.isMultiple(of: 2) }.map { $0.element.lowercased() })
    // Postfix before 3.8 tells the server that its bytes are Latin-1 (pgsql_table(5), encoding).
    let rows = half.union(half.map { key in String(String.UnicodeScalarView(key.utf8.map { Unicode.Scalar($0) })) })
    let values = rows.map { "('\($0.replacingOccurrences(of: "'", with: "''"))')" }.joined(separator: ",")
    let cluster = try Shared.cluster()
    try cluster.sql(
      "CREATE TABLE answers AS SELECT k, '<' || k || '>' AS v FROM (VALUES \(values)) AS t (k); GRANT SELECT ON"
        + " answers TO postfix"
    )
  }

  @Test("For over 500 keys, a texthash file answers as with postmap -q")
  func texthash() throws {
    // A line that Postfix would skip with a warning is an error here, so that it loses no mailbox.
    let keys = Self.keys.filter { !$0.contains(" ") && $0.count { $0 == "\"" }.isMultiple(of: 2) }
    let lines = keys.enumerated().filter { $0.offset.isMultiple(of: 2) }.map { "\($0.element) value \($0.offset)\n" }
    try host.sandbox.write("table", "\"a b\"@example.org quoted\n" + lines.joined(), mode: 0o644)
    try compare("texthash:\(host.sandbox("table"))", expecting: ["found", "not found"])
  }

  // MARK: what it prints

  @Test("--all-steps shows each key, the SQL sent, the answer and the time; only the answer is on stdout")
  func allSteps() throws {
    let cluster = try Shared.cluster()
    let table = "pgsql:\(host.sandbox("limits.cf"))"
    try host.sandbox.write("limits.cf", cluster.tableFile(PostgresCluster.limitQuery))
    let ending = try map("You+Box@example.org", table, "--all-steps")
    #expect(ending.status == 0 && ending.output == "1000\n")
    let times = ending.errors.replacing(/\d+\.\d ms/, with: "T ms")
    #expect(
      times == """
        you+box@example.org in \(table)
            SELECT quota FROM mailbox WHERE username='you+box@example.org' AND active = '1'
            not found (T ms)
        you@example.org in \(table)
            SELECT quota FROM mailbox WHERE username='you@example.org' AND active = '1'
            found: 1000 (T ms)

        """)
  }

  @Test("A parameter in place of a table is looked up as by a delivery, through the lookup service if there is one")
  func parameter() throws {
    try host.configure(
      "recipient_delimiter = +\nvirtual_mailbox_limit_maps = static:700",
      maps: "inline:{ you@example.org=example.org/you/ }")
    #expect(try map("you+box@example.org", "virtual_mailbox_maps").output == "example.org/you/\n")
    #expect(try map("you@example.org", "virtual_mailbox_limit_maps").output == "700\n")
    #expect(try map("none@example.org", "virtual_mailbox_maps").status == 1)
    let server = try MadeUpServer { request in
      (netstring(request.contains("you@") ? "OK served/" : "NOTFOUND "), false)
    }
    try host.configure("lookup_socket = \(server.path)", maps: "static:unused/")
    #expect(try map("you@example.org", "virtual_mailbox_maps").output == "served/\n")
    try host.configure("lookup_socket = /nonexistent\nlookup_fallback = yes", maps: "static:direct/")
    let ending = try map("you@example.org", "virtual_mailbox_maps")
    #expect(ending.output == "direct/\n" && ending.errors.contains("warning: queried without the lookup service: "))
  }

  @Test(
    "Each error is printed on standard error, with its own exit status",
    arguments: [
      (["you@example.org", "pgsql:/nonexistent.cf"], 78, "/nonexistent.cf"),
      (["you@example.org", "socketmap:unix:/nonexistent:name"], 75, "is the server running?"),
      (["you@example.org", "nonsense"], 64, "nonsense"), (["you@example.org"], 64, "TABLE"),
      (["you@example.org", "virtual_mailbox_base"], 64, "virtual_mailbox_base"),
      (["you@example.org", "virtual_mailbox_maps", "--config=/nonexistent"], 78, "/nonexistent"),
    ] as [([String], Int32, String)])
  func errors(arguments: [String], status: Int32, text: String) throws {
    let ending = try Command.run([Programs.path("ullage"), "map"] + arguments, asMailUser: true)
    #expect(ending.status == status && ending.output == "" && ending.errors.lowercased().contains(text.lowercased()))
  }

  @Test("--all-steps escapes control characters in an answer")
  func controlCharacters() throws {
    let ending = try map("x", "static:a\u{1B}[31mb", "--all-steps")
    #expect(ending.status == 0 && !ending.errors.contains("\u{1B}"), "\(ending)")
  }
}

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Quota
import Testing
import Text

private func file(_ text: String) -> ConfigurationFile { ConfigurationFile(parsing: Array(text.utf8)) }

private func trashName(_ text: String) throws -> String {
  String(decoding: try file(text).value(of: .virtual_trash_name), as: UTF8.self)
}

struct LogicalLineTests {
  @Test("Lines that begin with white space continue the one before, even across comments and blank lines (postconf(5))")
  func continuation() {
    let text = "# comment\n\na = 1\n  2\n# between\n\n\t3  \nb = 4 # data\n   # comment\nc=5"
    #expect(
      LogicalLine.split(Array(text.utf8)).map { "\($0.number): \($0.text.text)" } == [
        "3: a = 1  2\t3", "8: b = 4 # data", "10: c=5",
      ])
  }

  @Test("The first = separates name and value")
  func assignment() throws {
    let line = try #require(splitAssignment(Array(" name =  a = b ".utf8)))
    #expect(line.name.text == "name" && line.value.text == "a = b")
    #expect(splitAssignment(Array("no value".utf8)) == nil)
    #expect(splitAssignment(Array(" = x".utf8)) == nil)
  }
}

struct ConfigurationFileTests {
  @Test("An invalid log_socket defers no mail: the default is used instead")
  func logSocket() throws {
    let text = "virtual_mailbox_base = /srv\nvirtual_mailbox_maps = static:x/\nlog_socket = relative\n"
    #expect(String(decoding: try Settings(file(text)).logSocket, as: UTF8.self) == "/dev/log")
  }

  @Test("Unknown, user-defined, ignored and quoted names are distinguished")
  func names() {
    let names = file(
      "mine = 1\nvirtual_trash_name = \"$mine\"\nmyhostname = x\nno_such = 1\nother = $myhostname$other\n")
    #expect(names.unknownNames.map(\.text) == ["no_such"])
    #expect(names.ownNames.map(\.text) == ["mine", "myhostname", "other"])
    #expect(names.ignoredNames.isEmpty && names.quotedNames.map(\.line) == [2])
  }

  private let base = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n"

  @Test(
    "$name, ${name}, $(name) and conditionals are expanded (postconf(5))",
    arguments: [
      ("virtual_trash_name = $t", ".Bin"), ("virtual_trash_name = a${t}b", "a.Binb"),
      ("virtual_trash_name = $(t)", ".Bin"),
      ("virtual_trash_name = $$t", "$t"), ("virtual_trash_name = ${t?yes}", "yes"),
      ("virtual_trash_name = ${t:no}", ""),
      ("virtual_trash_name = ${e?yes}", ""), ("virtual_trash_name = ${e:no}", "no"),
      ("virtual_trash_name = ${missing:no}", "no"), ("virtual_trash_name = ${t?{yes $t}:{no}}", "yes .Bin"),
      ("virtual_trash_name = ${e?{yes}:{no $t}}", "no .Bin"), ("virtual_trash_name = $virtual_maildir_suffix", ""),
      ("virtual_trash_name = $syslog_name", "ullage-deliver"), ("virtual_trash_name = plain", "plain"),
    ])
  func macros(line: String, value: String) throws {
    #expect(try trashName("t = .Bin\ne =\n\(line)\n") == value)
  }

  @Test(
    "A value that cannot be expanded is an error with its line number",
    arguments: [
      "$missing", "${t", "$", "$ t", "${t==x}", "${}", "$virtual_trash_name",
    ])
  func badMacros(value: String) {
    #expect { try trashName("t = .Bin\nvirtual_trash_name = \(value)\n") } throws: {
      ($0 as? ConfigurationError)?.line == 2
    }
  }

  @Test(
    "One pair of double quotes around the whole value is removed; others stay",
    arguments: [
      ("\".Trash\"", ".Trash"), ("\"a\" \"b\"", "\"a\" \"b\""), ("\"", "\""), ("\"\"", ""), ("a\"b\"", "a\"b\""),
    ])
  func quotes(value: String, result: String) throws {
    #expect(try trashName("virtual_trash_name = \(value)") == result)
  }

  @Test("The last assignment of a name wins")
  func duplicates() throws {
    #expect(try trashName("virtual_trash_name = a\nvirtual_trash_name = b\n") == "b")
  }

  @Test("An unknown name is an error, except user-defined macros and the other names of Postfix and VDA")
  func unknownNames() throws {
    #expect(throws: ConfigurationError.self) { try Settings(file(base + "virtual_trash_nam = x\n")) }
    _ = try Settings(
      file(
        base + "own = x\nother = y\nvirtual_trash_name = ${own?$other}\nmailbox_size_limit = 0\nvirtual_transport = y\n"
      ))
  }

  @Test("Every default is a value that the parameter itself accepts")
  func defaults() throws {
    let given: Set<Parameter> = [.virtual_mailbox_base, .virtual_mailbox_maps]
    let lines = Parameter.allCases.filter { !given.contains($0) }.map {
      "\($0.rawValue) = \($0.definition.defaultText)"
    }
    let text = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n" + lines.joined(separator: "\n")
    let settings = try Settings(file(text))
    #expect(settings.limitRule.fallback == 51_200_000 && settings.messageSizeLimit == 10_240_000)
    #expect(settings.countingRule.uncountedFolders == [Array(".Trash".utf8)] && settings.deliveryTimeLimit == 120)
  }

  @Test(
    "virtual_trash_name may list several folders; a single name may still contain blanks and commas",
    arguments: [
      (".Trash", [".Trash"]), (".Deleted Items", [".Deleted Items"]),
      (".Trash, .Deleted Items", [".Trash", ".Deleted Items"]),
      (".A,.B,.C", [".A", ".B", ".C"]), (".A,B", [".A,B"]), (".A, B,.C", [".A, B", ".C"]), (".A,", [".A,"]),
      ("Bin", ["Bin"]), (".A , .B", [".A", ".B"]), ("", []),
    ])
  func trashNames(value: String, names: [String]) throws {
    let settings = try Settings(file(base + "virtual_trash_name = \(value)\n"))
    #expect(settings.countingRule.uncountedFolders.map { String(decoding: $0, as: UTF8.self) } == names)
    #expect(
      try Settings(file(base + "virtual_trash_name = \(value)\nvirtual_trash_count = yes\n")).countingRule
        .uncountedFolders == [])
  }

  @Test("maildir_count_profile accepts only the names in the manual")
  func countProfile() throws {
    #expect(try Settings(file(base + "maildir_count_profile = courier\n")).countingRule.profile == .courier)
    #expect {
      try Settings(file(base + "maildir_count_profile = Courier\n"))
    } throws: {
      "\($0)".contains("maildir_count_profile must be one of maildir++, courier, dovecot, exim, vda, not")
    }
  }

  @Test(
    "Times may be in seconds, minutes or hours, within their bounds",
    arguments: [
      ("90", 90), ("90s", 90), ("2m", 120), ("900", 900), ("1", 1), ("15m", 900),
      ("901", nil), ("16m", nil), ("1h", nil), ("0", nil), ("-1", nil), ("", nil), ("s", nil),
      ("9223372036854775807m", nil),
    ] as [(String, Int64?)])
  func times(text: String, seconds: Int64?) {
    let lines = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\ndelivery_time_limit = \(text)\n"
    #expect((try? Settings(file(lines)))?.deliveryTimeLimit == seconds)
  }

  @Test(
    "A limit is a whole number from 0 to the largest Int64",
    arguments: [
      ("0", 0), ("9223372036854775807", .max), ("9223372036854775808", nil), ("-1", nil), ("10M", nil), ("+1", nil),
    ] as [(String, Int64?)])
  func limits(text: String, bytes: Int64?) {
    let lines = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\nvirtual_mailbox_limit = \(text)\n"
    #expect((try? Settings(file(lines)))?.limitRule.fallback == bytes)
  }

  @Test("Tables are separated by blanks and commas, except inside braces")
  func tables() throws {
    let lines =
      "virtual_mailbox_base = /m\nvirtual_mailbox_maps = pgsql:/a.cf, inline:{ a=b, {c = d e} }\n  texthash:/b\n"
    #expect(
      try Settings(file(lines)).tables(.virtual_mailbox_maps).map(\.text) == [
        "pgsql:/a.cf", "inline:{ a=b, {c = d e} }", "texthash:/b",
      ])
  }

  @Test("No bytes make the parser trap")
  func noTrap() {
    var generator = SystemRandomNumberGenerator()
    let letters = Array("ab=$${}():?# \n\t\"".utf8) + [0, 255]
    for _ in 0..<20_000 {
      let noise = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
        letters[Int.random(in: letters.indices, using: &generator)]
      }
      let file = ConfigurationFile(parsing: Array("virtual_trash_name = ".utf8) + noise)
      // Either outcome is right: the parser must return.
      do { #expect(try file.value(of: .virtual_trash_name).count < 100_000) } catch { #expect(!error.message.isEmpty) }
      #expect(throws: ConfigurationError.self) { try Settings(file) }
    }
  }
}

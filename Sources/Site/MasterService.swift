// SPDX-License-Identifier: Apache-2.0
import Configuration
import Text

/// One entry of master.cf.
package struct MasterService: Sendable, Equatable {
  package let line: Int
  package let name: String
  package let type: String
  package let isUnprivileged: Bool
  /// Nil if the field is `-`: then it depends on `compatibility_level`.
  package let isChrooted: Bool?
  /// The most processes at a time; nil means `default_process_limit`, zero means no limit.
  package let processLimit: Int64?
  package let command: String
  /// The command and its arguments, as written in the file.
  private let commandLine: [String]
  /// Parameters that `-o` sets for this entry.
  package private(set) var overrides: [String: String] = [:]
  /// Attributes of pipe(8): `flags`, `user`, `null_sender` and so on. lmtp(8) has `flags` only.
  package private(set) var attributes: [String: String] = [:]
  /// Whether an option comes after an attribute: lmtp(8) does not start then.
  package private(set) var hasLateOption = false
  /// The program that pipe(8) runs, and its arguments.
  package private(set) var program: [String] = []

  init(_ words: [String], line: Int) {
    self.line = line
    name = words[0]
    type = words[1]
    // The default of master(5) is y.
    isUnprivileged = words[3] != "n"
    isChrooted = words[4] == "-" ? nil : words[4] == "y"
    processLimit = Int64(words[6])
    command = words[7]
    commandLine = words.dropFirst(7).map(MasterEntry.word)
    read(words[8...])
  }

  /// Whether it runs in a chroot. Before compatibility level 1, and before Postfix 3.0, that is the default.
  ///
  /// - Parameter level: `compatibility_level`, such as 3.6.
  package func isChrooted(atLevel level: String) -> Bool {
    isChrooted ?? ((level.split(separator: ".").first.flatMap { Int64($0) } ?? 1) < 1)
  }

  /// The command line with attributes of pipe(8) set, and with another program and arguments, for
  /// `postconf -F NAME/TYPE/command=`. Its options, `-o`, stay.
  ///
  /// - Parameter options: the new values of options that the entry has.
  package func commandLine(
    setting attributes: [(name: String, value: String)], options: [String: String] = [:], running program: [String]
  ) -> String {
    // Everything after argv= belongs to the program.
    var words = Self.setting(options, in: commandLine.prefix { !$0.hasPrefix("argv=") })
    for (name, value) in attributes {
      let places = words.indices.filter { words[$0].hasPrefix("\(name)=") }
      // Of an attribute that is there twice, nothing may stay: pipe(8) takes the last one, or all flags together.
      for place in places.reversed() { words.remove(at: place) }
      words.insert("\(name)=\(value)", at: places.first ?? words.endIndex)
    }
    return (words + ["argv=\(program[0])"] + program.dropFirst().map(MasterEntry.word)).joined(separator: " ")
  }

  /// The command line of an entry that runs lmtp(8), with its flags and some options set, for
  /// `postconf -F NAME/TYPE/command=`. Options come first, and the others stay.
  package func lmtpCommandLine(flags: String, options: [(name: String, value: String)]) -> String {
    let values = Dictionary(options.map { ($0.name, $0.value) }) { $1 }
    var rest = Self.setting(values, in: commandLine.dropFirst())[...]
    var (words, attributes) = ([String](), [String]())
    while let word = rest.popFirst() {
      guard word.hasPrefix("-") else {
        if !word.hasPrefix("flags=") { attributes.append(word) }
        continue
      }
      words.append(word)
      if word == "-o", let assignment = rest.popFirst() { words.append(assignment) }
    }
    for (name, value) in options where overrides[name] == nil { words += ["-o", "\(name)=\(value)"] }
    return ([command] + words + attributes + ["flags=\(flags)"]).joined(separator: " ")
  }

  /// Whether pipe(8) runs `ullage-deliver` for it.
  package var runsDelivery: Bool {
    command == "pipe" && program.first?.split(separator: "/").last == "ullage-deliver"
  }

  private static func setting(_ options: [String: String], in words: ArraySlice<String>) -> [String] {
    var (kept, rest) = ([String](), words)
    while let word = rest.popFirst() {
      let assignment = word == "-o" ? rest.first ?? "" : word.hasPrefix("-o") ? String(word.dropFirst(2)) : ""
      let plain = assignment.hasPrefix("{") ? assignment.dropFirst().dropLast() : assignment[...]
      if let name = splitAssignment(Array(plain.utf8))?.name.text, let value = options[name] {
        if word == "-o" { _ = rest.popFirst() }
        kept += ["-o", "\(name)=\(value)"]
      } else {
        kept.append(word)
      }
    }
    return kept
  }

  private mutating func read(_ words: ArraySlice<String>) {
    var rest = words
    while let word = rest.popFirst() {
      if word.hasPrefix("-"), !attributes.isEmpty { hasLateOption = true }
      if word.hasPrefix("-o"), let assignment = word == "-o" ? rest.popFirst() : String(word.dropFirst(2)),
        let (name, value) = splitAssignment(Array(assignment.utf8))
      {
        overrides[name.text] = value.text
      } else if ["pipe", "lmtp"].contains(command), !word.hasPrefix("-"),
        let (name, value) = splitAssignment(Array(word.utf8))
      {
        guard name.text == "argv" else {
          attributes[name.text] = value.text
          continue
        }
        program = [value.text] + rest
        return
      }
    }
  }
}

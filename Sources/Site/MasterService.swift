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
  /// Attributes of pipe(8): `flags`, `user`, `null_sender` and so on.
  package private(set) var attributes: [String: String] = [:]
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
      if word.hasPrefix("-o"), let assignment = word == "-o" ? rest.popFirst() : String(word.dropFirst(2)),
        let (name, value) = splitAssignment(Array(assignment.utf8))
      {
        overrides[name.text] = value.text
      } else if command == "pipe", !word.hasPrefix("-"), let (name, value) = splitAssignment(Array(word.utf8)) {
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

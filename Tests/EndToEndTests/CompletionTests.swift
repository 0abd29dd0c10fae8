// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The completion scripts of `ullage`, in the shells they are for.
struct CompletionTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func script(_ shell: String, _ name: String) throws {
    let text = try Command.check([Programs.path("ullage"), "--generate-completion-script", shell])
    #expect(!text.contains("worker"), "the internal worker command is not offered")
    try sandbox.write(name, text)
  }

  @Test("bash")
  func bash() throws {
    try script("bash", "ullage.bash")
    func complete(_ words: String) throws -> [String] {
      let text = """
        . \(sandbox("ullage.bash"))
        COMP_WORDS=(\(words)); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE='\(words)'; COMP_POINT=${#COMP_LINE}
        COMP_TYPE=9; cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}
        _ullage ullage "$cur" "$prev"
        printf '%s\\n' "${COMPREPLY[@]}"
        """
      return try Command.check(["bash", "-c", text]).split(separator: "\n").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
    }
    #expect(try complete("ullage rec") == ["recompute"])
    #expect(try complete("ullage audit --cl") == ["--clean-tmp"])
    #expect(Set(try complete("ullage status --format js")) == ["json", "jsonl"])
  }

  @Test("zsh")
  func zsh() throws {
    try script("zsh", "_ullage")
    let text = """
      zmodload zsh/zpty
      zpty z zsh -f -i
      zpty -w z "PROMPT='> '; fpath=(\(sandbox.path) \\$fpath); autoload -Uz compinit"
      zpty -w z "compinit -u -d \(sandbox("dump")); print READY"
      zpty -r z out '*READY*READY*'
      zpty -n -w z $'ullage rec\\t'
      zpty -r z out '*recompute*' && print -r -- found
      zpty -d z
      """
    // If the completion does not come, zsh would wait forever.
    let ending = try Command.run(["timeout", "20", "zsh", "-fc", text])
    #expect(ending.status == 0 && ending.output.hasSuffix("found\n"), "\(ending)")
  }

  @Test("fish")
  func fish() throws {
    try script("fish", "ullage.fish")
    func complete(_ line: String) throws -> [String] {
      let text = "source \(sandbox("ullage.fish")); complete -C '\(line)'"
      let environment = ["HOME": sandbox.path, "XDG_CONFIG_HOME": sandbox.path, "XDG_DATA_HOME": sandbox.path]
      let ending = try Command.run(["fish", "--no-config", "-c", text], environment: environment)
      return ending.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
    }
    #expect(try complete("ullage rec") == ["recompute"])
    #expect(try complete("ullage audit --cl") == ["--clean-tmp"])
    #expect(Set(try complete("ullage status --format js")) == ["json", "jsonl"])
  }
}

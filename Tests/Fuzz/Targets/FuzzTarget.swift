// SPDX-License-Identifier: Apache-2.0
import Aliases
import Configuration
import Conversation
import LMTP
import Policy
import Posix
import Tables
import Text

/// What a fuzzer feeds with bytes. A target traps if its promise is broken.
package enum FuzzTarget: String, CaseIterable {
  case policy, aliases, lmtp
  case ledger, name, configuration, postfix, query, texthash, socketmap, arguments, wire, state, dovecot

  package func run(_ bytes: [UInt8]) {
    switch self {
    case .ledger: Parsers.checkLedger(bytes)
    case .name: Parsers.checkName(bytes)
    case .configuration: Parsers.checkConfiguration(bytes)
    case .postfix: Parsers.checkPostfix(bytes)
    case .query: Parsers.checkQuery(bytes)
    case .texthash: Parsers.checkTexthash(bytes)
    case .socketmap: Parsers.checkSocketmap(bytes)
    case .arguments: Parsers.checkArguments(bytes)
    case .wire: Parsers.checkWire(bytes)
    case .state: Parsers.checkState(bytes)
    case .dovecot: Parsers.checkDovecot(bytes)
    case .policy: Self.converse(bytes)
    case .aliases: Self.expand(bytes)
    case .lmtp: LMTPClient.check(bytes)
    }
  }

  /// However the bytes of a client arrive, it gets the same answers: one for each empty line.
  private static func converse(_ bytes: [UInt8]) {
    let whole = answers([bytes[...]])
    let pieces = answers(bytes.indices.map { bytes[$0...$0] })
    precondition(whole == pieces, "the answers depend on how the bytes arrive")
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast()
    precondition(whole.count == lines.count { $0.isEmpty || $0.elementsEqual([13]) }, "an answer too few or too many")
  }

  private static func answers(_ pieces: [ArraySlice<UInt8>]) -> [[[UInt8]]] {
    var session = PolicySession()
    var answers: [[[UInt8]]] = []
    for piece in pieces {
      session.receive(piece)
      while case .answer(let question) = session.next(isDraining: false) {
        if case .recipients(let recipients, _) = question { answers.append(recipients) } else { answers.append([]) }
        _ = session.answered(.pass)
      }
    }
    return answers
  }

  /// A recipient in the first line, rows of a table in the others: the expansion ends, within its limits, and gives
  /// addresses.
  private static func expand(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { Array($0) }
    let settings: AliasSettings
    do {
      let text =
        "virtual_alias_maps = static:unused\nrecipient_delimiter = +-\nmyorigin = here\nmydomain = dom\n"
        + "append_dot_mydomain = yes\nvirtual_alias_expansion_limit = 50\nvirtual_alias_recursion_limit = 50\n"
      settings = try AliasSettings(ConfigurationFile(parsing: Array(text.utf8)))
    } catch { preconditionFailure("the settings are valid") }
    let expansion = AliasExpander.expand(lines[0], settings, Rows(lines.dropFirst()), until: .never)
    guard case .success(let addresses) = expansion.result else { return }
    for address in addresses {
      precondition(address.contains(UInt8(ascii: "@")), "an address without a domain")
      precondition(String(validating: address, as: UTF8.self) != nil, "an address that is no UTF-8")
    }
  }

  private struct Rows: AliasSource {
    private var values: [[UInt8]: [UInt8]] = [:]

    init(_ lines: ArraySlice<[UInt8]>) {
      for line in lines where String(validating: line, as: UTF8.self) != nil {
        let key = line.prefix { !$0.isWhiteSpace }
        values[foldCase(Array(key))] = Array(line.dropFirst(key.count + 1))
      }
    }

    func row(of parameter: Parameter, for key: [UInt8], isPartial: Bool, until deadline: Deadline) -> AliasRow? {
      values[foldCase(key)].map { AliasRow($0, in: nil) }
    }

    func contains(_ domain: [UInt8], in parameter: Parameter, until deadline: Deadline) -> Bool { domain.count == 4 }
  }
}

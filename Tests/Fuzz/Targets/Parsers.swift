// SPDX-License-Identifier: Apache-2.0
import Audit
import Configuration
import Foundation
import Quota
import Site
import Socketmap
import Text

@testable import Check
@testable import Sweep
@testable import Tables

/// What parsers promise about any bytes.
enum Parsers {
  /// A ledger that we accept has the total that Courier's reader finds, the most lenient of all; written anew it has
  /// the same.
  static func checkLedger(_ bytes: [UInt8]) {
    guard let contents = try? LedgerContents(bytes) else { return }
    precondition(contents.usage == courierSum(bytes), "Courier reads another total")
    let again = LedgerContents.compacted(contents.usage, limit: contents.limit)
    guard again.count <= LedgerContents.largestSize, let copy = try? LedgerContents(again) else {
      preconditionFailure("what was written cannot be read")
    }
    precondition(copy.usage == contents.usage && copy.limit == contents.limit.published && copy.isCompacted)
  }

  /// maildirquota.c: the text ends at a NUL, the last line needs no line end, what is not two numbers is skipped.
  private static func courierSum(_ bytes: [UInt8]) -> QuotaUsage {
    var sum = QuotaUsage.none
    for line in bytes.prefix(while: { $0 != 0 }).split(separator: 10, omittingEmptySubsequences: false).dropFirst() {
      let words = line.split { $0 == 32 || $0 == 9 }.map { Int64(String(decoding: $0, as: UTF8.self)) }
      guard words.count >= 2, let bytes = words[0], let messages = words[1] else { continue }
      sum = QuotaUsage(bytes: sum.bytes &+ bytes, messages: sum.messages &+ messages)
    }
    return sum
  }

  /// Every profile finds a size, or none; the common one finds no zero, and only what Courier finds too.
  static func checkName(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")) else { return }
    for profile in CountingProfile.allCases {
      _ = (profile.counts(bytes.span), profile.isFolder(bytes.span), profile.holdsMessages(bytes.span))
      precondition(profile.size(in: bytes.span).map { $0 >= 0 } ?? true)
    }
    _ = MessageFileName.isTrashed(bytes.span)
    guard let size = CountingProfile.common.size(in: bytes.span) else { return }
    precondition(size > 0 && CountingProfile.courier.size(in: bytes.span) == size)
  }

  /// ullage.cf: a file with a mistake names a line that it has.
  static func checkConfiguration(_ bytes: [UInt8]) {
    let file = ConfigurationFile(parsing: bytes)
    let lines = bytes.count { $0 == 10 } + 1
    for name in file.unknownNames + file.ownNames + file.ignoredNames + file.quotedNames {
      precondition((1...lines).contains(name.line), "no such line")
    }
    func check(_ read: () throws(ConfigurationError) -> Void) {
      do throws(ConfigurationError) { try read() } catch {
        precondition(error.line.map { (1...lines).contains($0) } ?? true, "no such line")
      }
    }
    check { () throws(ConfigurationError) in _ = try Settings(file) }
    check { () throws(ConfigurationError) in _ = try PolicySettings(file) }
    check { () throws(ConfigurationError) in _ = try LMTPSettings(file) }
    check { () throws(ConfigurationError) in try file.check() }
  }

  /// main.cf and master.cf: what a command writes for an entry is the same entry again.
  static func checkPostfix(_ bytes: [UInt8]) {
    _ = try? MainFile(parsing: bytes)
    guard let services = try? MasterFile(parsing: bytes).services else { return }
    // A command is text. Braces must be balanced, which is for other tests.
    let isText = bytes.allSatisfy { ($0 >= 32 || $0 == 10) && !"{}".utf8.contains($0) }
    guard isText, String(validating: bytes, as: UTF8.self) != nil else { return }
    func isName(_ text: String) -> Bool { text.utf8.allSatisfy { $0.isASCIILetter || $0 == UInt8(ascii: "_") } }
    for service in services where service.command == "pipe" && !service.program.isEmpty {
      // Otherwise pipe(8) does not start.
      guard service.attributes.keys.allSatisfy(isName), service.overrides.keys.allSatisfy(isName),
        service.overrides["argv"] == nil
      else { continue }
      let line = service.commandLine(setting: [], running: service.program)
      let entry = "\(service.name) \(service.type) - n n - - \(line)\n"
      guard let again = try? MasterFile(parsing: Array(entry.utf8)).services.first else { continue }
      precondition(again.attributes == service.attributes && again.overrides == service.overrides, entry)
    }
  }

  /// A table file, and after its first empty line a key: whatever the key is, the SQL has the same shape.
  static func checkQuery(_ bytes: [UInt8]) {
    let parts = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false).map { Array($0) }
    _ = try? PgsqlFile(parsing: bytes)
    guard parts.count == 2, !parts[1].contains(0), let query = try? QueryTemplate(parts[0], line: nil),
      let sql = query.sql(for: parts[1], escape: escaped)
    else { return }
    // Of a key with the same parts.
    let plain = parts[1].map { "@.".utf8.contains($0) ? $0 : UInt8(ascii: "x") }
    guard let harmless = query.sql(for: plain, escape: escaped) else { return }
    precondition(shape(of: sql) == shape(of: harmless), "another query: \(String(decoding: sql, as: UTF8.self))")
  }

  /// As PQescapeStringConn, with standard_conforming_strings.
  private static func escaped(_ text: [UInt8]) -> [UInt8] { text.flatMap { $0 == 39 ? [39, 39] : [$0] } }

  /// What is not inside an ordinary string.
  private static func shape(of sql: [UInt8]) -> [UInt8] {
    var state = SQLState.code
    var before: [UInt8] = []
    var shape: [UInt8] = []
    for byte in sql {
      let wasString = state == .string
      state.read([byte], after: &before)
      // A doubled quote leaves the string for one byte.
      if wasString, state == .string { continue }
      if byte == 39, shape.last == 39, state == .string, !wasString {
        shape.removeLast()
        continue
      }
      shape.append(byte)
    }
    return shape
  }

  /// texthash: the search finds what the dictionary holds.
  static func checkTexthash(_ bytes: [UInt8]) {
    guard let table = try? InMemoryTable(texthash: bytes, name: "t") else { return }
    let search = TexthashSearch(bytes)
    precondition(search.isWellFormed)
    for key in table.keys where String(validating: key, as: UTF8.self) != nil {
      precondition(search.value(of: key) == table[key], "another value")
    }
    precondition(search.value(of: Array("no such key".utf8)) == nil)
  }

  /// What is read from the wire is what would be written there.
  static func checkSocketmap(_ bytes: [UInt8]) {
    if case .complete(let text, let length) = Netstring.parse(bytes[...], limit: 1000) {
      precondition(Netstring.frame(text).elementsEqual(bytes[..<length]))
    }
    precondition(
      Netstring.parse(Netstring.frame(bytes)[...], limit: bytes.count)
        == .complete(bytes, length: Netstring.frame(bytes).count))
    if let request = SocketmapRequest(bytes) { precondition(SocketmapRequest(request.payload) == request) }
    if let reply = SocketmapReply(bytes) { precondition(SocketmapReply(reply.payload) == reply) }
  }

  /// The command line of `ullage-deliver`, an argument on each line.
  static func checkArguments(_ bytes: [UInt8]) {
    var request = DeliveryRequest()
    let arguments = bytes.split(separator: 10, omittingEmptySubsequences: false).map { Array($0) }
    do throws(UsageError) { try request.parse(arguments) } catch {
      precondition(!error.sentence.contains(10), "an answer of two lines")
    }
  }

  /// What worker processes send each other comes out as it went in.
  static func checkWire(_ bytes: [UInt8]) {
    let texts = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    let number = bytes.reduce(Int64(bytes.count)) { $0 &* 31 &+ Int64($1) }
    var writer = WireWriter()
    writer.write(texts)
    writer.write(bytes)
    writer.write(texts.first)
    writer.write(number)
    writer.write(bytes.count > 3)
    var reader = WireReader(writer.bytes)
    precondition(reader.values(String.self) == texts && reader.text() == bytes)
    precondition(reader.optional(String.self) == texts.first)
    precondition(reader.number() == number && reader.flag() == (bytes.count > 3))
  }

  /// The state of an audit.
  static func checkState(_ bytes: [UInt8]) {
    guard var state = try? JSONDecoder().decode(AuditState.self, from: Data(bytes)) else { return }
    _ = state.sortedFindings()
    guard let encoded = try? JSONEncoder().encode(state) else { preconditionFailure("it cannot be written") }
    precondition((try? JSONDecoder().decode(AuditState.self, from: encoded)) == state)
  }

  /// doveconf -n
  static func checkDovecot(_ bytes: [UInt8]) {
    let settings = DovecotSettings(parsing: String(decoding: bytes, as: UTF8.self))
    _ = (settings.hasQuota, settings.quotaDrivers, settings.mailFormat, settings.controlDirectory, settings.layout)
    _ = (settings.uncountedParents, settings.uncountedFolders, settings.firstMissingRule, settings.rulesBehindGap)
    _ = (settings.inboxBlock, settings.mailbox(inDirectory: ".Trash"), settings.rules(ignoring: ["Trash"]))
  }
}

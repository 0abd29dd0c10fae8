// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Posix
import Socketmap
import Synchronization
import TestSupport
import Testing
import Text

@testable import LookupServer

/// The service with a made-up table.
struct LookupServiceTests {
  /// Collects what the service reports.
  private final class Reports: Sendable {
    private let events = Mutex<[LookupEvent]>([])
    func add(_ event: LookupEvent) { events.withLock { $0.append(event) } }
    func take() -> [LookupEvent] {
      events.withLock { events in
        defer { events = [] }
        return events
      }
    }
  }

  private let server: MadeUpServer
  private let reports = Reports()

  init() throws {
    server = try MadeUpServer { _ in (netstring("OK first"), false) }
  }

  private func settings(_ lines: String) throws -> Settings {
    let table = "socketmap:unix:\(server.path):m"
    let text = """
      virtual_mailbox_base = /m
      virtual_mailbox_maps = \(table)
      virtual_mailbox_limit_maps = \(table)
      lookup_connections = 1
      \(lines)

      """
    return try Settings(ConfigurationFile(parsing: Array(text.utf8)))
  }

  private func policy(_ lines: String) -> Result<PolicySettings, SettingsError> {
    let all = "virtual_alias_maps =\nmydestination =\nmyorigin =\n\(lines)"
    do { return .success(try PolicySettings(ConfigurationFile(parsing: Array(all.utf8)))) } catch {
      return .failure(SettingsError(Array(error.message.utf8)))
    }
  }

  private func service(_ lines: String) throws -> LookupService {
    let reports = reports
    return try LookupService(settings(lines), policy(lines)) { reports.add($0) }
  }

  private func ask(_ service: LookupService, _ map: String, _ key: String = "u@d") -> SocketmapReply {
    let request = SocketmapRequest(map: Array(map.utf8), key: Array(key.utf8))
    return service.cachedReply(to: request) ?? service.reply(to: request, until: Deadline(secondsFromNow: 10))
  }

  @Test("A key longer than any address is not kept")
  func longKey() throws {
    let service = try service("lookup_cache_time = 1h")
    for count in [300, 600] {
      let key = String(repeating: "x", count: count) + "@d"
      let request = SocketmapRequest(map: Array("virtual_mailbox_limit_maps".utf8), key: Array(key.utf8))
      #expect(ask(service, "virtual_mailbox_limit_maps", key) == .found(Array("first".utf8)))
      #expect((service.cachedReply(to: request) != nil) == (count == 300))
    }
  }

  @Test("The policy service's maps take keys as they are; those of lists take domains")
  func policyMaps() throws {
    let service = try service(
      """
      lookup_cache_time = 1h
      recipient_delimiter = +
      virtual_alias_maps = inline:{ a@d=b@d @d=c@d } regexp:/nowhere
      virtual_mailbox_domains = d, static:x, e
      mydestination = here
      policy_usage_maps = inline:{ u@d=5 }
      """)
    #expect(ask(service, "virtual_alias_maps/partial", "a@d") == .found(Array("b@d".utf8)))
    #expect(ask(service, "virtual_alias_maps/partial", "A@D") == .found(Array("b@d".utf8)))
    // Neither the extension nor the domain is tried: cleanup(8)'s order is the policy service's business.
    #expect(ask(service, "virtual_alias_maps/partial", "a+x@d") == .notFound)
    #expect(ask(service, "virtual_alias_maps/partial", "other@d") == .notFound)
    #expect(ask(service, "policy_usage_maps", "u+x@d") == .found(Array("5".utf8)))
    #expect(ask(service, "virtual_mailbox_domains", "any") == .found(Array("virtual_mailbox_domains".utf8)))
    #expect(ask(service, "mydestination", "here") != .notFound && ask(service, "mydestination", "d") == .notFound)
    #expect(ask(service, "virtual_alias_maps/partial", "\u{0}") == .notFound)
    for map in [
      "canonical_maps", "virtual_mailbox_maps/partial", "mydestination/partial", "policy_socket",
      "virtual_alias_maps/x",
    ] {
      guard case .permanent = ask(service, map) else {
        Issue.record("\(map) is served")
        continue
      }
    }
  }

  @Test("A map with /fresh is never answered from memory, and does not refresh it")
  func fresh() throws {
    let service = try service("lookup_cache_time = 1h\nlookup_stale_time = 1h\nvirtual_alias_maps = inline:{ a@d=b@d }")
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    server.answer { _ in (netstring("OK second"), false) }
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    #expect(ask(service, "virtual_mailbox_limit_maps/fresh") == .found(Array("second".utf8)))
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    #expect(ask(service, "virtual_alias_maps/partial/fresh", "a@d") == .found(Array("b@d".utf8)))
    // Nor is it given an old answer while the table is down.
    server.answer { _ in (netstring("TEMP down"), false) }
    guard case .temporary = ask(service, "virtual_mailbox_limit_maps/fresh") else {
      Issue.record("an old answer")
      return
    }
  }

  @Test("A mistake in the policy service's parameters is its own: all other maps are served")
  func policyMistake() throws {
    let service = try service("virtual_alias_maps = /etc/aliases")
    guard case .permanent(let reason) = ask(service, "virtual_alias_maps") else {
      Issue.record("an answer")
      return
    }
    #expect(reason.text.contains("virtual_alias_maps must be tables"))
    #expect(ask(service, "virtual_mailbox_maps") == .found(Array("first".utf8)))
  }

  @Test("What is forgotten is asked again: an address with and without an extension, in every map, and no other")
  func forget() throws {
    let service = try service("lookup_cache_time = 1h\nrecipient_delimiter = +")
    let keys = ["u@d", "u+x@d", "v@d", "u@e", "u-x@d"]
    for key in keys {
      for map in ["virtual_mailbox_maps", "virtual_mailbox_limit_maps"] { _ = ask(service, map, key) }
    }
    #expect(ask(service, "forget", "U@D") == .notFound)
    for map in ["virtual_mailbox_maps", "virtual_mailbox_limit_maps"] {
      let kept = keys.map { key in
        service.cachedReply(to: SocketmapRequest(map: Array(map.utf8), key: Array(key.utf8))) != nil
      }
      #expect(kept == [false, false, true, true, true])
    }
    // The empty address stands for all.
    _ = ask(service, "forget", "")
    let request = SocketmapRequest(map: Array("virtual_mailbox_maps".utf8), key: Array("v@d".utf8))
    #expect(service.cachedReply(to: request) == nil)
  }

  @Test("A map is a parameter that takes tables and is set; any other name is a permanent error, never not found")
  func maps() throws {
    let service = try service("virtual_uid_maps =")
    #expect(ask(service, "virtual_mailbox_maps") == .found(Array("first".utf8)))
    for map in ["virtual_uid_maps", "virtual_mailbox_base", "none", "", "virtual_mailbox_maps "] {
      guard case .permanent = ask(service, map) else {
        Issue.record("\(map): \(ask(service, map))")
        continue
      }
    }
  }

  @Test("An answer is cached, found or not, for its map and key")
  func held() throws {
    let service = try service("lookup_cache_time = 1h")
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    server.answer { _ in (netstring("NOTFOUND "), false) }
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    #expect(ask(service, "virtual_mailbox_limit_maps", "other@d") == .notFound)
    server.answer { _ in (netstring("OK second"), false) }
    #expect(ask(service, "virtual_mailbox_limit_maps", "other@d") == .notFound)
  }

  @Test("That an address has no mailbox is never cached: it may have one by now")
  func absentMailbox() throws {
    let service = try service("lookup_cache_time = 1h\nlookup_stale_time = 1h")
    server.answer { _ in (netstring("NOTFOUND "), false) }
    #expect(ask(service, "virtual_mailbox_maps") == .notFound)
    server.answer { _ in (netstring("OK u/"), false) }
    #expect(ask(service, "virtual_mailbox_maps") == .found(Array("u/".utf8)))
    // A removed mailbox is not answered from the cache when the tables fail later.
    let fresh = try self.service("lookup_cache_time = 0\nlookup_stale_time = 1h")
    #expect(ask(fresh, "virtual_mailbox_maps") == .found(Array("u/".utf8)))
    server.answer { _ in (netstring("NOTFOUND "), false) }
    #expect(ask(fresh, "virtual_mailbox_maps") == .notFound)
    server.answer { _ in (netstring("TEMP down"), false) }
    guard case .temporary = ask(fresh, "virtual_mailbox_maps") else {
      Issue.record("an answer came from the cache")
      return
    }
  }

  @Test("With lookup_cache_time = 0 every request queries the table")
  func notHeld() throws {
    let service = try service("lookup_cache_time = 0")
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    server.answer { _ in (netstring("OK second"), false) }
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("second".utf8)))
  }

  @Test("While the tables fail, old answers are given if configured, and start and end are reported")
  func stale() throws {
    let service = try service("lookup_cache_time = 0\nlookup_stale_time = 1h")
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    server.answer { _ in (netstring("TEMP down"), false) }
    for _ in 0..<3 { #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8))) }
    guard case .temporary(let reason) = ask(service, "virtual_mailbox_limit_maps", "unknown@d") else {
      Issue.record("an answer that no table gave")
      return
    }
    #expect(reason.text.contains("down"))
    let events = reports.take()
    #expect(events.count == 2 && events.last == .stale(.virtual_mailbox_limit_maps), "\(events)")
    server.answer { _ in (netstring("OK second"), false) }
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("second".utf8)))
    #expect(reports.take() == [.recovered(.virtual_mailbox_limit_maps, unanswered: 1, stale: 3)])
  }

  @Test("Without lookup_stale_time there is no answer while the tables fail, and one report of it")
  func outage() throws {
    let service = try service("lookup_cache_time = 0")
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    server.answer { _ in (netstring("TEMP down"), false) }
    for _ in 0..<3 {
      guard case .temporary = ask(service, "virtual_mailbox_limit_maps") else {
        Issue.record("an answer came from the cache")
        return
      }
    }
    #expect(reports.take().count == 1)
  }

  @Test("A table's permanent error is passed on, whatever is cached")
  func permanent() throws {
    let service = try service("lookup_cache_time = 0\nlookup_stale_time = 1h")
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    server.answer { _ in (netstring("PERM mend me"), false) }
    guard case .permanent(let reason) = ask(service, "virtual_mailbox_limit_maps") else {
      Issue.record("no permanent error")
      return
    }
    #expect(reason.text.contains("mend me"))
  }

  @Test("A reload opens the new tables and empties the cache; one that fails changes nothing")
  func reload() throws {
    let service = try service("lookup_cache_time = 1h")
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    let bad = try settings("virtual_uid_maps = texthash:/nonexistent")
    #expect(throws: SettingsError.self) { try service.reload(bad, policy("")) }
    server.answer { _ in (netstring("OK second"), false) }
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("first".utf8)))
    try service.reload(settings("virtual_uid_maps = static:7"), policy(""))
    #expect(ask(service, "virtual_mailbox_limit_maps") == .found(Array("second".utf8)))
    #expect(ask(service, "virtual_uid_maps") == .found(Array("7".utf8)))
  }

  @Test("A table that cannot be opened is an error at startup, with its name")
  func unusable() {
    #expect {
      try service("virtual_uid_maps = texthash:/nonexistent")
    } throws: {
      ($0 as? SettingsError)?.shown.contains("texthash:/nonexistent") == true
    }
  }

  @Test(
    "An address is looked up in virtual(8)'s order of keys: Postfix queries a socketmap only for whole addresses")
  func keys() throws {
    let service = try service(
      "virtual_mailbox_message_limit_maps = inline:{ u@d=1, @e=2 }\nrecipient_delimiter = +")
    #expect(ask(service, "virtual_mailbox_message_limit_maps", "U+x@D") == .found([UInt8(ascii: "1")]))
    #expect(ask(service, "virtual_mailbox_message_limit_maps", "any@e") == .found([UInt8(ascii: "2")]))
    #expect(ask(service, "virtual_mailbox_message_limit_maps", "v@d") == .notFound)
    let invalid = SocketmapRequest(map: Array("virtual_mailbox_message_limit_maps".utf8), key: [0xFF, 64, 100])
    #expect(service.reply(to: invalid, until: .never) == .notFound)
  }
}

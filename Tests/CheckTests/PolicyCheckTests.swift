// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Migration
import Posix
import Site
import TestSupport
import Testing

@testable import Check

/// The parameters that ullage.cf copies from main.cf for the policy service.
struct PolicyCheckTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private static let main = """
    compatibility_level = 3.6
    myorigin = mx.example
    mydestination =
    virtual_mailbox_base = /m
    virtual_mailbox_maps = static:x/
    smtpd_recipient_restrictions = check_policy_service unix:private/ullage-policy

    """

  /// Agrees with `main`, so that a case has no difference but its own.
  private static let copied = """
    virtual_mailbox_base = /m
    virtual_mailbox_maps = static:other/
    virtual_alias_maps =
    myorigin = mx.example
    mydestination =

    """

  private func postfix(_ main: String) throws -> PostfixDirectory {
    try PostfixDirectory(PostfixFiles(sandbox, main: Self.main + main.replacing("DIR", with: sandbox.path)).path)
  }

  /// The names of the parameters that differ.
  private func differences(_ postfix: PostfixDirectory, _ configuration: [UInt8]) throws -> [String] {
    try sandbox.write("ullage.cf", configuration)
    let site = Site(
      configurationFile: sandbox("ullage.cf"), settings: nil, user: nil, postfix: .success(postfix))
    var check = PolicyCheck(site: site, postfix: postfix)
    check.run()
    try #require(!check.found.findings.contains { $0.kind == .badConfiguration }, "\(check.found.findings)")
    return check.found.findings.filter { $0.kind == .policyParameters }.map { String($0.evidence.prefix { $0 != " " }) }
  }

  @Test(
    "What migrate writes for the policy service, check finds right",
    arguments: [
      "canonical_maps = static:a@b\n", "canonical_maps = static:a@b\ncanonical_classes = envelope_sender\n",
      "recipient_canonical_maps = static:a@b\n",
      "recipient_canonical_maps = static:a@b\nrecipient_canonical_classes = header_recipient\n",
      "mydomain = example\n", "mydomain = example\nappend_dot_mydomain = yes\n", "myorigin = DIR/mailname\n",
      "virtual_mailbox_domains = $virtual_mailbox_maps\n", "virtual_mailbox_domains = example\n",
      "virtual_alias_maps = proxy:inline:{ a@b=c@d }\n",
    ])
  func migrated(main: String) throws {
    try sandbox.write("mailname", "mail.example\n")
    let postfix = try postfix(main)
    let options = Migration.Options(configurationFile: sandbox("ullage.cf"), transport: "ullage", user: "nobody")
    let plan = try Migration.plan(from: postfix, options, Survey(postfix.path))
    #expect(try differences(postfix, plan.configuration) == [])
  }

  @Test(
    "What makes the service follow other aliases than Postfix is found, and nothing else",
    arguments: [
      ("", "", []), ("canonical_maps = static:a@b\n", "", ["canonical_maps"]),
      // postconf(5), canonical_classes: recipients are not rewritten.
      ("canonical_maps = static:a@b\ncanonical_classes = envelope_sender header_sender\n", "", []),
      (
        "canonical_maps = static:a@b\ncanonical_classes = envelope_sender\n", "canonical_maps = static:a@b\n",
        ["canonical_maps"]
      ),
      (
        "canonical_maps = static:a@b\nrecipient_canonical_classes = header_recipient\n", "", ["canonical_maps"]
      ),
      // postconf(5), recipient_canonical_classes.
      ("recipient_canonical_maps = static:a@b\nrecipient_canonical_classes = header_recipient\n", "", []),
      (
        "recipient_canonical_maps = static:a@b\ncanonical_classes = envelope_sender\n", "", ["recipient_canonical_maps"]
      ),
      ("mydomain = example\n", "mydomain = other\n", []),
      (
        "mydomain = example\nappend_dot_mydomain = yes\n", "mydomain = other\nappend_dot_mydomain = yes\n",
        ["mydomain"]
      ),
      ("myorigin = DIR/mailname\n", "myorigin = mail.example\n", []),
      ("myorigin = DIR/mailname\n", "", ["myorigin"]), ("myorigin = /nonexistent/mailname\n", "", []),
      ("virtual_mailbox_domains = static:x/\n", "", []), ("", "virtual_mailbox_domains = proxy:static:x/\n", []),
      ("", "virtual_mailbox_domains = example\n", ["virtual_mailbox_domains"]),
      ("virtual_mailbox_domains = example\n", "", ["virtual_mailbox_domains"]),
    ])
  func differences(main: String, configuration: String, names: [String]) throws {
    try sandbox.write("mailname", "mail.example\n")
    #expect(try differences(try postfix(main), Array((Self.copied + configuration).utf8)) == names)
  }

  /// What is found about the policy service's tables.
  private func tableFindings(_ lines: String, _ user: User?) throws -> [Finding] {
    let text = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\nmyorigin = mx.example\n\(lines)\n"
    try sandbox.write("ullage.cf", text, mode: 0o644)
    let postfix = try postfix(lines)
    let settings = try Settings(ConfigurationFile(parsing: Array(text.utf8)))
    let site = Site(
      configurationFile: sandbox("ullage.cf"), settings: settings, user: user, postfix: .success(postfix))
    var check = PolicyCheck(site: site, postfix: postfix)
    check.run()
    return check.found.findings.filter { $0.kind == .badTable || $0.kind == .notChecked }
  }

  @Test("A table or list of domains that the mail user may not read is an error with the commands for it", .takesRoot)
  func closedTables() throws {
    let nobody = try #require(User(named: "nobody"))
    for name in ["aliases", "domains"] { try sandbox.write("maps/\(name)", "a.example a.example\n", mode: 0o640) }
    try sandbox.write("maps/list", "b.example texthash:\(sandbox("maps/domains"))\n", mode: 0o640)
    try TestSupport.Command.check(["chown", "-R", "root:root", sandbox("maps")])
    for name in ["aliases", "domains", "list"] {
      try TestSupport.Command.check(["touch", "-d", "-1 hour", sandbox("maps/\(name)")])
    }
    let lines = """
      virtual_alias_maps = static:a@b texthash:\(sandbox("maps/aliases"))
      mydestination = \(sandbox("maps/list"))
      virtual_mailbox_domains = texthash:\(sandbox("maps/domains"))
      """
    let blind = try nobody.acting { try tableFindings(lines, nil) }
    #expect(
      blind.filter { $0.evidence.hasPrefix("whether the policy service") }.map(\.reason)
        == ["aliases", "list", "domains"].map { "you may not read \(sandbox("maps/\($0)"))" }, "\(blind)")
    let findings = try tableFindings(lines, nobody)
    #expect(findings.map(\.subject.name) == ["virtual_alias_maps", "mydestination", "virtual_mailbox_domains"])
    #expect(findings.allSatisfy { $0.severity == .error }, "\(findings)")
    // The tables in a list that cannot be read show when it can.
    for _ in 0..<2 {
      for case .run(let commands)? in try tableFindings(lines, nobody).map(\.remedy) {
        for command in commands { try TestSupport.Command.check(command.words) }
      }
    }
    #expect(try tableFindings(lines, nobody).isEmpty)
  }

  @Test(
    "A table or list that gives the policy service no answer is an error; a lookup service is another check's",
    arguments: [
      ("virtual_alias_maps = texthash:DIR/none\nmydestination =", ["virtual_alias_maps"]),
      ("virtual_alias_maps =\nmydestination = a.example DIR/none", ["mydestination"]),
      (
        "virtual_alias_maps =\nmydestination =\nvirtual_mailbox_domains = texthash:DIR/none",
        ["virtual_mailbox_domains"]
      ),
      ("virtual_alias_maps =\nmydestination =\npolicy_usage_maps = texthash:DIR/none", ["policy_usage_maps"]),
      ("virtual_alias_maps = static:x texthash:DIR/none\nmydestination =", ["virtual_alias_maps"]),
      ("virtual_alias_maps = texthash:DIR/none\nmydestination =\nlookup_socket = DIR/none", []),
      (
        "virtual_alias_maps = texthash:DIR/none\nmydestination =\nlookup_socket = DIR/none\nlookup_fallback = yes",
        ["virtual_alias_maps"]
      ),
      ("virtual_alias_maps = static:a@b\nmydestination = localhost", []),
    ])
  func deafTables(lines: String, subjects: [String]) throws {
    let found = try tableFindings(lines.replacing("DIR", with: sandbox.path), nil)
    #expect(found.map(\.subject.name) == subjects && found.allSatisfy { $0.severity == .error }, "\(found)")
  }

  @Test("Of tables that do not rewrite recipients, the remedy makes the service leave them out")
  func remedy() throws {
    let postfix = try postfix("canonical_maps = static:a@b\ncanonical_classes = envelope_sender\n")
    try sandbox.write("ullage.cf", Self.copied + "canonical_maps = static:a@b\n")
    var check = PolicyCheck(
      site: Site(configurationFile: sandbox("ullage.cf"), settings: nil, user: nil, postfix: .success(postfix)),
      postfix: postfix)
    check.run()
    #expect(check.found.findings.first { $0.kind == .policyParameters }?.remedy == .set("canonical_maps", ""))
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// A host, its Postfix files and its database, in which `ullage check` finds nothing wrong.
class CheckFixture {
  let site: AuditSite
  let files: PostfixFiles
  var host: MailHost { site.host }

  static let required = "message_size_limit = 500000\nvirtual_mailbox_limit_override = yes"

  static let main =
    "virtual_transport = ullage\nullage_destination_recipient_limit = 1\nmessage_size_limit = 500000\n"

  convenience init() throws { try self.init(cluster: nil) }

  init(cluster: PostgresCluster?) throws {
    site = try AuditSite(Self.required, cluster: cluster)
    try site.makeIndex()
    try site.add("a")
    files = try PostfixFiles(
      site.host.sandbox,
      main: Self.main,
      master: "ullage unix - n n - 20 pipe " + PostfixInstance.entry(site.host, program: MailHost.program) + "\n")
    try lock()
  }

  /// Gives ullage.cf and the tables to root, readable for the mail user's group, as on a real host.
  func lock() throws {
    for name in ["ullage.cf", "list.cf", "limits.cf"] {
      try Command.check(["chown", "root:\(MailUser.group)", host.sandbox(name)])
      try Command.check(["chmod", "640", host.sandbox(name)])
    }
  }

  func configure(_ settings: String) throws {
    try site.configure(Self.required + "\n" + settings)
    try lock()
  }

  func check(_ options: String..., environment: [String: String] = [:]) throws -> Command.Ending {
    let elsewhere = ["--dovecot=/nowhere", "--courier=/nowhere"].filter { option in
      !options.contains { $0.hasPrefix(option.prefix(5)) }
    }
    return try host.ullage(
      ["check", "--postfix=\(files.path)", "--format=jsonl"] + elsewhere + options, environment: environment,
      asMailUser: false)
  }

  /// The findings, without notices.
  func findings(_ options: String...) throws -> [[String: String]] {
    let elsewhere = ["--dovecot=/nowhere", "--courier=/nowhere"]
    let ending = try host.ullage(
      ["check", "--postfix=\(files.path)", "--format=jsonl"] + elsewhere + options, asMailUser: false)
    #expect(ending.errors == "" && ending.status <= 2, "\(ending)")
    return try ending.records.filter { $0["severity"] != "notice" }
  }

  func kinds() throws -> [String] {
    try findings().map { "\($0["severity"] ?? "") \($0["kind"] ?? "")" }
  }
}

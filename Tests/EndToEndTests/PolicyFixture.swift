// SPDX-License-Identifier: Apache-2.0
import TestSupport

/// A real Postfix that asks the real `ullaged policy`, which asks the real `ullaged lookup`, with PostfixAdmin's own
/// queries on a real PostgreSQL.
class PolicyFixture {
  let site: PolicySite
  var cluster: PostgresCluster { site.cluster }
  var host: MailHost { site.host }
  let lookup: ServiceDaemon
  let policy: ServiceDaemon
  let postfix: PostfixInstance

  init() throws {
    site = try PolicySite()
    let host = site.host
    lookup = try ServiceDaemon(host.sandbox("ullage.cf"), socket: host.sandbox("lookup"))
    policy = try ServiceDaemon(host.sandbox("ullage.cf"), service: "policy", socket: host.sandbox("policy"))
    postfix = try PostfixInstance(
      pipe: PostfixInstance.entry(host, program: MailHost.program),
      settings: site.settings(PolicySite.restriction("unix:\(host.sandbox("policy"))")))
    // The socket's owner is the mail user; Postfix connects as its own.
    try Command.check(["chmod", "666", host.sandbox("policy")])
  }

  /// The replies to RCPT for each of `recipients`, in one session.
  func replies(to recipients: [String], size: Int? = nil, sender: String = "me@example.net") throws -> [String] {
    let mail = "MAIL FROM:<\(sender)>" + (size.map { " SIZE=\($0)" } ?? "")
    let lines = ["EHLO x", mail] + recipients.map { "RCPT TO:<\($0)>" } + ["RSET", "QUIT"]
    return Array(try postfix.dialogue(lines).dropFirst(2).dropLast(2))
  }

  func refusal(_ recipient: String, _ text: String = "Full up, sorry.", code: String = "452 4.2.2") -> String {
    "\(code) <\(recipient)>: Recipient address rejected: \(text)"
  }

  func request(_ recipient: String, _ more: String = "") -> String {
    "request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=1\nrecipient=\(recipient)\n\(more)\n"
  }
}

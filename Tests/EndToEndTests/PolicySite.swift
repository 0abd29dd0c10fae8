// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// PostfixAdmin's tables in a real PostgreSQL with mailboxes that are full and roomy, and the table files and ullage.cf
/// for them.
final class PolicySite {
  let cluster: PostgresCluster
  let host: MailHost

  static let limit = 20_000

  /// The queries of PostfixAdmin's POSTFIX_CONF.txt.
  private static let queries = [
    "mailboxes": PostgresCluster.pathQuery, "limits": PostgresCluster.limitQuery, "domains": domainQuery,
    "usage": "SELECT bytes, messages FROM quota2 WHERE username = '%s'",
    "alias": "SELECT goto FROM alias WHERE address='%s' AND active = '1'",
    "alias_domain":
      "SELECT goto FROM alias,alias_domain WHERE alias_domain.alias_domain = '%d' and alias.address = '%u' || '@' ||"
      + " alias_domain.target_domain AND alias.active = '1' AND alias_domain.active='1'",
    "alias_domain_catchall":
      "SELECT goto FROM alias,alias_domain WHERE alias_domain.alias_domain = '%d' and alias.address = '@' ||"
      + " alias_domain.target_domain AND alias.active = '1' AND alias_domain.active='1'",
  ]
  private static let domainQuery =
    "SELECT domain FROM domain WHERE domain='%s' AND backupmx = '0' AND active = '1' UNION SELECT alias_domain FROM"
    + " alias_domain WHERE alias_domain='%s' AND active = '1'"

  init() throws {
    cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: Int64(Self.limit))
    try cluster.sql(
      """
      CREATE TABLE alias_domain (alias_domain varchar(255) PRIMARY KEY, target_domain varchar(255) NOT NULL,
        active boolean NOT NULL DEFAULT true);
      CREATE TABLE quota2 (username varchar(100) PRIMARY KEY, bytes bigint NOT NULL DEFAULT 0,
        messages integer NOT NULL DEFAULT 0);
      GRANT SELECT ON alias_domain, quota2 TO postfix;
      INSERT INTO domain (domain) VALUES ('catch.example');
      INSERT INTO mailbox (username, maildir, quota, domain) SELECT name || '@example.org',
        'example.org/' || name || '/', \(Self.limit), 'example.org' FROM unnest('{full,full2,room}'::text[]) AS name;
      INSERT INTO alias (address, goto, domain) SELECT username, username, 'example.org' FROM mailbox
        WHERE username <> 'you@example.org';
      INSERT INTO alias (address, goto, domain) VALUES ('one@example.org', 'full@example.org', 'example.org'),
        ('two@example.org', 'one@example.org', 'example.org'),
        ('both@example.org', 'full@example.org,full2@example.org', 'example.org'),
        ('mixed@example.org', 'full@example.org,room@example.org', 'example.org'),
        ('away@example.org', 'full@example.org,full#example.org@autoreply.example', 'example.org'),
        ('out@example.org', 'full@example.org,x@remote.example', 'example.org'),
        ('loop@example.org', 'pool@example.org', 'example.org'),
        ('pool@example.org', 'loop@example.org', 'example.org'),
        ('@catch.example', 'full@example.org', 'catch.example'), ('void@catch.example', '', 'catch.example');
      INSERT INTO alias_domain VALUES ('alias.example', 'example.org');
      """)
    host = try MailHost()
    for (name, query) in Self.queries {
      try host.sandbox.write("\(name).cf", cluster.tableFile(query), mode: 0o644)
    }
    try configure()
    for name in ["full", "full2"] { try fill(name) }
    try host.sandbox.makeMaildir("base/example.org/room")
  }

  func aliasMaps(_ type: String) -> String {
    ["alias", "alias_domain", "alias_domain_catchall"].map { "\(type):\(host.sandbox("\($0).cf"))" }
      .joined(separator: ", ")
  }

  func configure(_ more: String = "") throws {
    try host.sandbox.write("canonical", "old@example.org full@example.org\n", mode: 0o644)
    try host.configure(
      """
      virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))
      virtual_maildir_limit_message_maps = inline:{ {full2@example.org = Number 2 is full.} }
      virtual_maildir_limit_message = Full up, sorry.
      virtual_maildir_oversize_message = Too large for this mailbox.
      virtual_mailbox_domains = pgsql:\(host.sandbox("domains.cf"))
      virtual_alias_maps = \(aliasMaps("pgsql"))
      recipient_canonical_maps = texthash:\(host.sandbox("canonical"))
      recipient_delimiter = +
      myorigin = mx.example.org
      mydestination =
      lookup_socket = \(host.sandbox("lookup"))
      lookup_cache_time = 1s
      policy_socket = \(host.sandbox("policy"))
      policy_uncounted_domains = autoreply.example
      virtual_minimum_uid = 1
      \(more)
      """, maps: "pgsql:\(host.sandbox("mailboxes.cf"))")
    try Command.check(["chmod", "644", host.sandbox("ullage.cf")])
  }

  func fill(_ name: String, bytes: Int = PolicySite.limit) throws {
    let maildir = "base/example.org/\(name)"
    try host.sandbox.makeMaildir(maildir)
    try host.sandbox.write("\(maildir)/cur/1.M1P1.x,S=\(bytes):2,S", MailHost.message(bytes))
    try host.sandbox.write("\(maildir)/maildirsize", "\(Self.limit)S\n \(bytes) 1\n")
  }

  /// The lines for main.cf of a Postfix that asks the policy service there.
  func settings(_ restriction: String) -> String {
    """
    mynetworks = 192.0.2.1
    recipient_delimiter = +
    virtual_mailbox_maps = proxy:pgsql:\(host.sandbox("mailboxes.cf"))
    virtual_mailbox_domains = proxy:pgsql:\(host.sandbox("domains.cf"))
    virtual_alias_maps = \(aliasMaps("proxy:pgsql"))
    recipient_canonical_maps = texthash:\(host.sandbox("canonical"))
    local_recipient_maps =
    smtpd_relay_restrictions =
    smtpd_recipient_restrictions = reject_unauth_destination, reject_unlisted_recipient, \(restriction)
    smtpd_end_of_data_restrictions = \(restriction)
    default_transport = error:not here
    smtpd_error_sleep_time = 0
    smtpd_hard_error_limit = 100
    bounce_notice_recipient = room@example.org
    """
  }

  /// The restriction as it is documented.
  static func restriction(_ endpoint: String) -> String {
    "check_policy_service { \(endpoint), timeout=10s, default_action=DUNNO }"
  }
}

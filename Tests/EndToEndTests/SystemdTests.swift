// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The package's units under a real systemd, with a real Postfix and PostgreSQL: each does its own job inside its
/// sandbox.
@Suite(
  .takesRoot,
  .enabled(if: ProcessInfo.processInfo.environment["ULLAGE_STRESS"] != nil, "scripts/stress runs it: it takes minutes"))
struct SystemdTests {
  /// A mail server that `ullage-deliver` and the services can use, with two mailboxes.
  private static let setUp = """
    pg_ctlcluster $(ls /usr/lib/postgresql) main start
    runuser -u postgres -- psql -q <<'S'
    CREATE ROLE postfix LOGIN PASSWORD 'x';
    CREATE DATABASE postfix OWNER postfix;
    \\c postfix
    CREATE TABLE mailbox (username text PRIMARY KEY, maildir text, quota bigint);
    INSERT INTO mailbox VALUES ('you@example.org', 'example.org/you/', 10000000);
    INSERT INTO mailbox VALUES ('full@example.org', 'example.org/full/', 1000);
    GRANT SELECT ON mailbox TO postfix;
    S
    pg_ctlcluster $(ls /usr/lib/postgresql) main stop
    install -m 640 -g postfix /dev/stdin /etc/postfix/maps.cf <<'S'
    hosts = 127.0.0.1
    user = postfix
    password = x
    dbname = postfix
    query = SELECT maildir FROM mailbox WHERE username = '%s'
    S
    sed 's/SELECT maildir/SELECT quota/' /etc/postfix/maps.cf |
      install -m 640 -g postfix /dev/stdin /etc/postfix/limits.cf
    # The audit runs as the owner of the Maildirs.
    install -m 640 -g vmail /etc/postfix/maps.cf /etc/ullage/list.cf
    cat >>/etc/ullage/ullage.cf <<'S'
    virtual_mailbox_base = /var/vmail
    virtual_mailbox_maps = pgsql:/etc/postfix/maps.cf
    virtual_mailbox_limit_maps = pgsql:/etc/postfix/limits.cf
    virtual_mailbox_limit_override = yes
    virtual_overquota_bounce = yes
    lookup_socket = /run/ullage/lookup
    mailbox_list_query = SELECT username, maildir, quota FROM mailbox
    mailbox_list_database = pgsql:/etc/ullage/list.cf
    mailbox_base_may_be_empty = yes
    virtual_mailbox_domains = example.org
    virtual_alias_maps =
    mydestination =
    myorigin = example.org
    S
    postconf -e virtual_mailbox_base=/var/vmail virtual_mailbox_domains=example.org inet_interfaces=loopback-only \\
      virtual_mailbox_maps=pgsql:/etc/postfix/maps.cf maillog_file=/var/log/postfix.log mydestination= \\
      'smtpd_relay_restrictions=permit_mynetworks, reject' default_destination_concurrency_limit=20
    install -d -o vmail -g vmail -m 700 /var/vmail/example.org
    """

  @Test(
    "Under systemd every unit starts and does its job; sockets hold over restarts and an upgrade",
    .timeLimit(.minutes(15)))
  func units() throws {
    let root = try DebianRoot(installing: [
      "systemd", "systemd-sysv", "dbus", "postgresql", "postfix", "postfix-pgsql", "procps", "iproute2",
    ])
    let package = try root.add(try BuiltPackage.this.file)
    let next = try root.add(try BuiltPackage.next.file)
    try root.shell("apt-get install -y -qq --no-install-recommends \(package) >/dev/null")
    try root.shell(Self.setUp)
    let machine = try BootedRoot(root)
    #expect(try machine.run("systemctl --failed --plain --no-legend").output == "")
    // The steps that the manual gives.
    try machine.shell(
      """
      systemctl enable --now ullaged-lookup.socket ullaged-lookup.service ullaged-lmtp.socket ullaged-lmtp.service \
        ullaged-policy.socket ullaged-policy.service ullage-audit.timer
      systemctl is-active postfix postgresql
      """)
    for service in ["lookup", "lmtp", "policy"] {
      #expect(try machine.run("systemctl is-active ullaged-\(service).service").output == "active\n")
    }
    try machine.shell("ullage map you@example.org virtual_mailbox_maps")

    // LMTP, its switch as the manual has it.
    try machine.shell(
      """
      postconf -M 'ullage_lmtp/unix=ullage_lmtp unix - - n - - lmtp -o lmtp_line_length_limit=0 \
        -o lmtp_send_xforward_command=yes flags=ORX'
      postconf -e ullage_lmtp_destination_recipient_limit=1 virtual_transport=ullage_lmtp:unix:private/ullage-lmtp
      postfix reload
      """)
    let load = "smtp-source -c -l 2000 -f me@example.net -t you@example.org"
    try machine.shell("\(load) -m 1 127.0.0.1:25")
    try wait(machine, for: 1)

    // The policy service refuses a full mailbox while the sender is connected.
    try machine.shell(
      """
      postconf -e 'smtpd_recipient_restrictions=permit_mynetworks' 'smtpd_end_of_data_restrictions=' \
        'smtpd_recipient_restrictions=check_policy_service unix:private/ullage-policy, permit_mynetworks, reject'
      postfix reload
      install -d -o vmail -g vmail -m 700 /var/vmail/example.org/full/{,cur,new,tmp}
      head -c 1200 /dev/zero |
        install -o vmail -g vmail -m 600 /dev/stdin '/var/vmail/example.org/full/cur/a,S=1200:2,S'
      """)
    let refused = try machine.run("smtp-source -m 1 -f me@example.net -t full@example.org 127.0.0.1:25")
    #expect(refused.errors.contains("552 5.2.2"), "\(refused)")

    // A reload, and restarts under load: nothing is deferred, nothing comes twice.
    try machine.shell("systemctl reload ullaged-lookup ullaged-lmtp ullaged-policy")
    try machine.shell(
      """
      \(load) -s 10 -m 300 127.0.0.1:25 & load=$!
      for i in 1 2 3 4 5; do systemctl restart ullaged-lmtp.service; done
      wait $load
      """)
    try wait(machine, for: 301)
    try expectNothingDeferred(machine)

    // A stopped service is started by its socket.
    try machine.shell("systemctl stop ullaged-lmtp.service; \(load) -m 1 127.0.0.1:25")
    try wait(machine, for: 302)
    #expect(try machine.run("systemctl is-active ullaged-lmtp.service").output == "active\n")

    // The nightly audit.
    #expect(try machine.shell("systemctl list-timers --no-legend ullage-audit.timer").contains("ullage-audit.service"))
    try machine.shell("systemctl start ullage-audit.service")
    #expect(try machine.shell("systemctl show -P Result ullage-audit.service") == "success\n")
    #expect(try machine.shell("journalctl -q -u ullage-audit.service").contains("full@example.org"))

    // The usage for panels; without a table, the unit skips it.
    try machine.shell("systemctl enable --now ullage-publish.timer; systemctl start ullage-publish.service")
    try machine.shell(
      """
      runuser -u postgres -- psql -q postfix -c 'CREATE TABLE quota2 (username varchar(100) PRIMARY KEY,
        bytes bigint NOT NULL, messages integer NOT NULL); GRANT SELECT, INSERT, UPDATE ON quota2 TO postfix'
      echo 'usage_table = quota2' >>/etc/ullage/ullage.cf
      systemctl start ullage-publish.service
      """)
    #expect(try machine.shell("runuser -u postgres -- psql -Atc 'TABLE quota2' postfix").contains("full@example.org|"))

    // An upgrade under load.
    try machine.shell(
      """
      \(load) -s 10 -m 300 127.0.0.1:25 & load=$!
      apt-get install -y -qq --no-install-recommends \(next) >/dev/null
      wait $load
      """)
    try wait(machine, for: 602)
    try expectNothingDeferred(machine)
    #expect(try machine.run("systemctl --failed --plain --no-legend").output == "")

    // A mistake in ullage.cf, while mail arrives: systemd soon closes the socket of a service that does not start. When
    // the mistake has been corrected, a restart of the service is enough.
    try machine.shell(
      """
      cp -p /etc/ullage/ullage.cf /root/ullage.cf
      echo 'virtual_mailbox_limit = much' >>/etc/ullage/ullage.cf
      systemctl restart ullaged-lmtp.service && exit 1
      \(load) -s 10 -m 30 127.0.0.1:25
      """)
    try waitUntil("30 deferred messages", seconds: 120) {
      // The audit's report to root is deferred, too.
      try machine.run("postqueue -j | grep you@example.org | grep -c delay_reason").output == "30\n" ? () : nil
    }
    try waitUntil("the end of the socket", seconds: 60) {
      // Each try starts the service again.
      try machine.run("postqueue -f; systemctl show -P Result ullaged-lmtp.socket").output == "trigger-limit-hit\n"
        ? () : nil
    }
    try machine.shell(
      """
      cp -p /root/ullage.cf /etc/ullage/ullage.cf
      systemctl restart ullaged-lmtp.service
      postqueue -f
      """)
    try wait(machine, for: 632)

    // The ledger holds what is there.
    #expect(
      try machine.shell("ullage recompute --dry-run you@example.org --format=jsonl").contains("\"result\":\"exact\""))
  }

  private func expectNothingDeferred(_ machine: BootedRoot) throws {
    // The audit's report to root is deferred, as there is no DNS here.
    let deferred = try machine.run("grep '@example.org>.*status=deferred' /var/log/postfix.log").output
    guard deferred != "" else { return }
    let journal = try machine.run("journalctl -q --no-pager -o cat -n 400 | grep -v status=sent").output
    Issue.record("\(deferred)\(journal)")
  }

  private func wait(_ machine: BootedRoot, for count: Int) throws {
    let look = "ls /var/vmail/example.org/you/new 2>/dev/null | wc -l; tail -n 3 /var/log/postfix.log"
    try waitUntil("\(count) messages", seconds: 120) {
      try machine.run(look).output.hasPrefix("\(count)\n") ? () : nil
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// The Debian package, in its own Debian root.
@Suite(.takesRoot)
struct PackageTests {
  private func install(_ root: DebianRoot, _ package: BuiltPackage) throws {
    let file = try root.add(try package.file)
    try root.shell("apt-get install -y -qq --no-install-recommends \(file) >/dev/null")
  }

  @Test("lintian finds no error, and no warning either")
  func lintian() throws {
    let ending = try Command.run(["lintian", "--fail-on", "error,warning", "--allow-root", try BuiltPackage.this.file])
    #expect(ending.status == 0 && ending.output == "", "\(ending)")
  }

  @Test("An upgrade restarts the lookup service with the new program; a removal stops it, a new installation starts it")
  func lookupService() throws {
    let sandbox = try Sandbox()
    try Command.check(["dpkg-deb", "-e", try BuiltPackage.this.file, sandbox("c")])
    for name in ["deb-systemd-invoke", "deb-systemd-helper", "systemd-sysusers", "systemd-tmpfiles"] {
      try sandbox.write("bin/\(name)", "#!/bin/sh\necho \(name) $* >> \(sandbox("calls"))\n", mode: 0o755)
    }
    func isEnabled(_ answer: Bool) throws {
      try sandbox.write("bin/systemctl", "#!/bin/sh\n\(answer)\n", mode: 0o755)
    }
    try isEnabled(true)
    // To these scripts, systemd seems to run on the machine.
    func calls(_ script: String, _ arguments: String) throws -> [String] {
      try sandbox.write("calls", "")
      let text = try #require(sandbox.text("c/\(script)")).replacing("/run/systemd/system", with: sandbox("bin"))
      try sandbox.write("script", text, mode: 0o755)
      try Command.check(["sh", "-c", "PATH=\(sandbox("bin")):$PATH \(sandbox("script")) \(arguments)"])
      return (sandbox.text("calls") ?? "").split(separator: "\n").map(String.init)
    }
    let preinst = try sandbox.text("c/preinst") == nil ? [] : calls("preinst", "upgrade 0.1.0")
    let upgrade = try preinst + calls("prerm", "upgrade 0.1.1") + calls("postinst", "configure 0.1.0")
    #expect(!upgrade.contains { $0.contains(" stop ") && $0.contains("ullaged-lookup") }, "\(upgrade)")
    #expect(upgrade.contains("deb-systemd-invoke restart ullaged-lookup.service"), "\(upgrade)")
    let removal = try calls("prerm", "remove")
    // The script is still there; it warns if Postfix sends mail to what is being removed.
    for (settings, isUsed) in [
      ("transport_maps = inline:{a.org=ullage_lmtp:unix:private/ullage-lmtp}", true),
      ("virtual_transport = virtual", false),
    ] {
      try sandbox.write("bin/postconf", "#!/bin/sh\necho '\(settings)'\n", mode: 0o755)
      let ending = try Command.run(["sh", "-c", "PATH=\(sandbox("bin")):$PATH \(sandbox("script")) remove"])
      #expect(ending.status == 0 && ending.errors.contains("waits in the queue") == isUsed, "\(ending)")
    }
    #expect(removal.contains("deb-systemd-invoke stop ullaged-lookup.socket ullaged-lookup.service"), "\(removal)")
    // Installed again, what is still enabled is started.
    #expect(try calls("postinst", "configure 0.1.0").contains("deb-systemd-invoke start ullaged-lookup.socket"))
    try isEnabled(false)
    let unused = try calls("postinst", "configure 0.1.0").filter {
      $0.contains("-invoke ") && $0.contains("ullaged-lookup")
    }
    #expect(unused == ["deb-systemd-invoke try-restart ullaged-lookup.service"])
    #expect(upgrade.contains("deb-systemd-invoke restart ullaged-policy.service"), "\(upgrade)")
    #expect(removal.contains("deb-systemd-invoke stop ullaged-policy.socket ullaged-policy.service"), "\(removal)")
    #expect(upgrade.contains("deb-systemd-invoke restart ullaged-lmtp.service"), "\(upgrade)")
    #expect(removal.contains("deb-systemd-invoke stop ullaged-lmtp.socket ullaged-lmtp.service"), "\(removal)")
  }

  @Test("The programs are stripped, have no RPATH or RUNPATH, and need no Swift runtime")
  func programs() throws {
    let sandbox = try Sandbox()
    try Command.check(["dpkg-deb", "-x", try BuiltPackage.this.file, sandbox("x")])
    for name in ["usr/bin/ullage", "usr/sbin/ullaged", "usr/libexec/ullage/ullage-deliver"] {
      let sections = try Command.check(["readelf", "-SdW", sandbox("x/\(name)")])
      #expect(sections.contains(".dynsym") && !sections.contains(" .symtab") && !sections.contains(" .debug_info"))
      #expect(!sections.contains("RUNPATH") && !sections.contains("RPATH"))
      #expect(!sections.contains("libswift") && !sections.contains("libpq") && !sections.contains("Foundation"))
    }
  }

  @Test("Edits survive upgrade and removal; mailboxes and an existing vmail stay untouched from install to purge")
  func life() throws {
    let root = try DebianRoot()
    try root.shell(
      """
      groupadd -g 5000 vmail; useradd -u 5000 -g vmail -d /srv/mail -s /bin/false vmail
      install -d -o vmail -g vmail -m 751 /var/vmail/example.org/you/new
      echo mail > /var/vmail/example.org/you/new/1; chown vmail: /var/vmail/example.org/you/new/1
      """)
    let look = "getent passwd vmail; id vmail; find /var/vmail -printf '%p %u %g %m %s %T@ %C@\\n'"
    let before = try root.shell(look)
    try install(root, .this)
    #expect(try root.shell(look) == before)
    #expect(
      try root.shell("stat -c '%U %G %a' /etc/ullage/ullage.cf /var/lib/ullage") == "root vmail 640\nvmail vmail 750\n")
    #expect(
      try root.shell(
        "id -un ullage; ullage --version; ullaged --version; /usr/libexec/ullage/ullage-deliver --version </dev/null")
        == "ullage\nullage 0.1.0\nullaged 0.1.0\nullage-deliver 0.1.0\n")
    // Everything that a package must contain: pages, completions, examples, units.
    for file in [
      "/usr/share/man/man1/ullage-check.1.gz", "/usr/share/man/man5/ullage.cf.5.gz",
      "/usr/share/man/man8/ullage-deliver.8.gz",
      "/usr/share/bash-completion/completions/ullage", "/usr/share/zsh/vendor-completions/_ullage",
      "/usr/share/fish/vendor_completions.d/ullage.fish", "/usr/share/doc/ullage/examples/postfixadmin.cf",
      "/lib/systemd/system/ullage-audit.timer", "/lib/systemd/system/ullage-publish.timer",
      "/lib/systemd/system/ullaged-lookup.socket",
      "/lib/systemd/system/ullaged-policy.socket", "/lib/systemd/system/ullaged-lmtp.socket",
      "/usr/lib/sysusers.d/ullage.conf", "/usr/lib/tmpfiles.d/ullage.conf", "/etc/cron.d/ullage",
    ] { #expect(try root.run(["test", "-s", file]).status == 0, "\(file)") }
    // Without settings nothing is audited, and the cron job prints nothing.
    let cron = try #require(root.text("/etc/cron.d/ullage")?.split(separator: "\n").last { $0.hasPrefix("17 2") })
    let command = cron.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: true)[6]
    let quoted = command.replacing("'", with: "'\\''")
    #expect(try root.shell("su -s /bin/sh vmail -c '\(quoted)' 2>&1") == "")

    let edited = "virtual_mailbox_base = /var/vmail\nvirtual_mailbox_maps = static:example.org/you/\n"
    try root.shell(
      "printf '\(edited.replacing("\n", with: "\\n"))' > /etc/ullage/ullage.cf; chgrp mail /etc/ullage/ullage.cf")
    try install(root, .next)
    #expect(try root.shell("dpkg-query -W -f '${Version}' ullage") == BuiltPackage.next.rawValue)
    #expect(root.text("/etc/ullage/ullage.cf") == edited)
    #expect(try root.shell("stat -c '%U %G %a' /etc/ullage/ullage.cf") == "root mail 640\n")
    #expect(try root.shell(look) == before)

    // Whoever removes it while Postfix still delivers with it is told.
    let entry = "ullage unix - n n - 20 pipe flags=ORX user=vmail argv=/usr/libexec/ullage/ullage-deliver"
    try root.write("/usr/sbin/postconf", "#!/bin/sh\necho '\(entry)'\n", mode: 0o755)
    let removal = try root.run(["apt-get", "remove", "-y", "-qq", "ullage"])
    #expect(
      removal.status == 0 && removal.output.contains("Postfix has entries for ullage-deliver or ullaged lmtp. Mail"),
      "\(removal)")
    #expect(root.text("/etc/ullage/ullage.cf") == edited)
    #expect(try root.run(["test", "-e", "/usr/bin/ullage"]).status == 1)
    #expect(try root.shell(look) == before)
    // The cron file that remains does nothing.
    #expect(try root.shell("su -s /bin/sh vmail -c '\(quoted)' 2>&1") == "")
    try root.shell("apt-get purge -y -qq ullage >/dev/null")
    #expect(try root.run(["sh", "-c", "ls -d /etc/ullage /var/lib/ullage /etc/cron.d/ullage"]).output == "")
    #expect(try root.shell(look) == before)
  }

  @Test("On a machine without the user vmail the package creates it")
  func fresh() throws {
    let root = try DebianRoot()
    try install(root, .this)
    #expect(try root.shell("getent passwd vmail").hasSuffix(":/var/vmail:/usr/sbin/nologin\n"))
    #expect(try root.shell("stat -c '%U %G %a' /etc/ullage/ullage.cf") == "root vmail 640\n")
    #expect(try root.run(["su", "-s", "/bin/sh", "vmail", "-c", "cat /etc/ullage/ullage.cf"]).status == 0)
    #expect(try root.run(["su", "-s", "/bin/sh", "nobody", "-c", "cat /etc/ullage/ullage.cf"]).status == 1)
    // The lookup service can read it, too, with the groups of its user, as its unit runs it.
    try root.shell(
      "printf 'virtual_mailbox_base = /srv\\nvirtual_mailbox_maps = static:x/\\nlookup_socket = /tmp/l\\n' >"
        + " /etc/ullage/ullage.cf"
    )
    let service = try root.run([
      "su", "-s", "/bin/sh", "ullage", "-c", "timeout -s TERM 2 ullaged lookup; test $? = 124",
    ])
    #expect(service.status == 0 && service.errors == "", "\(service)")
    // Without systemd, by the lines of the manual, it reads what only root and Postfix's group may.
    try root.shell(
      """
      groupadd postfix; echo 'you@example.org example.org/you/' > /etc/maps
      chown root:postfix /etc/maps; chmod 640 /etc/maps; mkdir -p /srv/example.org
      printf 'virtual_mailbox_base = /srv\\nvirtual_mailbox_maps = texthash:/etc/maps\\n' > /etc/ullage/ullage.cf
      echo 'lookup_socket = /run/ullage/lookup' >> /etc/ullage/ullage.cf
      """)
    let byHand = try root.run(
      [
        "bash", "-ec",
        """
        \(try Self.linesWithoutSystemd())
        for n in $(seq 100); do [ -S /run/ullage/lookup ] && break; sleep 0.1; done
        su -s /bin/sh vmail -c 'ullage status you@example.org'
        kill $!
        """,
      ])
    #expect(byHand.status == 0 && byHand.output.contains("you@example.org"), "\(byHand)")
    try root.shell("apt-get purge -y -qq ullage >/dev/null")
  }

  private static func linesWithoutSystemd() throws -> String {
    let page = try Project.text("man/ullaged.8")
    let text = try #require(page.components(separatedBy: "Without systemd, ").dropFirst().first)
    return String(try #require(text.firstMatch(of: #/\.Bd -literal\n((?:.*\n)*?)\.Ed/#)).1)
  }
}

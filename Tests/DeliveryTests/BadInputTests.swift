// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// Bad configuration, arguments and input: none of it loses mail, or bounces it by mistake.
struct BadInputTests {
  private func expectDeferred(
    _ delivery: MailHost.Delivery, _ code: String, log part: String, _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(delivery.status == 75, sourceLocation: location)
    #expect(delivery.output.hasPrefix("\(code) The mail system "), "\(delivery.output)", sourceLocation: location)
    #expect(delivery.errors == "", sourceLocation: location)
    #expect(delivery.log.contains { $0.contains(part) }, "\(delivery.log)", sourceLocation: location)
  }

  @Test(
    "A wrong command line defers with 4.3.5: pipe(8) would bounce on exit status 64", .takesRoot,
    arguments: [
      (["--bogus=1"], "unknown option --bogus"), (["-x"], "unknown option -x"),
      (["--sender", "a@b"], "unknown option"),
      (["--help"], "unknown option --help"), (["--version"], "unknown option --version"),
      (["stray"], "unknown option stray"), (["--size=1", "--size=2"], "--size was given twice"),
      (["--recipient=him@example.org"], "postconf -e ullage_destination_recipient_limit=1"),
    ])
  func usage(extra: [String], log: String) throws {
    let host = try MailHost()
    // An invalid command line names no configuration, so the log goes to the default socket.
    let ownLog = "mount -t tmpfs none /dev\nln -s \(host.logSocket) /dev/log"
    let delivery = try host.deliver(bytes: 10, behind: ownLog, arguments: host.arguments + extra)
    expectDeferred(delivery, "4.3.5", log: log)
    #expect(delivery.log.first?.hasPrefix("4Abc: to=<you@example.org>, ") == true, "parsed options are logged")
    #expect(host.new == [])
  }

  @Test("A missing option defers with 4.3.5", arguments: ["--sender=", "--recipient="])
  func missingOption(name: String) throws {
    let host = try MailHost()
    let delivery = try host.deliver(
      MailHost.message(10), arguments: host.arguments.filter { !$0.hasPrefix(name) })
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.5 "))
  }

  @Test("It refuses to run as root", .takesRoot)
  func root() throws {
    let host = try MailHost()
    let ending = try Command.run(host.arguments, input: .bytes(MailHost.message(10)))
    #expect(ending.status == 75 && ending.output.hasPrefix("4.3.5 "))
    #expect(host.log.lines().contains { $0.contains("started as root") })
    #expect(host.new == [])
  }

  @Test("It refuses to run with a uid below virtual_minimum_uid")
  func minimumUser() throws {
    let host = try MailHost("virtual_minimum_uid = \(MailUser.id + 1)")
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "below virtual_minimum_uid")
  }

  @Test(
    "An error in ullage.cf is logged with file and line",
    arguments: [
      ("virtual_mailbox_limits = 5", "line 6: unknown parameter virtual_mailbox_limits"),
      ("virtual_trash_count = maybe", "line 6: virtual_trash_count must be yes or no"),
      ("virtual_mailbox_limit = 10M", "line 6: virtual_mailbox_limit must be a whole number"),
      ("\u{FEFF}x = y", "line 6: expected"), ("just words", "line 6: expected name = value"),
      ("delivery_time_limit = 0", "line 6: delivery_time_limit must be"),
      ("virtual_maildir_filter = yes", "line 6: VDA's maildir filter does not exist here"),
      ("virtual_maildir_suffix = x", "line 6: virtual_maildir_suffix must end in /"),
      ("virtual_trash_name = $trash", "line 6: $trash is not defined"),
      ("virtual_mailbox_limit_maps = nonsense", "line 6: virtual_mailbox_limit_maps must be tables"),
    ])
  func configuration(line: String, log: String) throws {
    let host = try MailHost(line)
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: log)
    #expect(host.new == [])
  }

  @Test("A configuration that cannot be read defers")
  func unreadableConfiguration() throws {
    let host = try MailHost()
    try Command.check(["chmod", "0", host.sandbox("ullage.cf")])
    #expect(try host.deliver(bytes: 10).output.hasPrefix("4.3.5 "))
    try Command.check(["rm", host.sandbox("ullage.cf")])
    #expect(try host.deliver(bytes: 10).output.hasPrefix("4.3.5 "))
  }

  @Test("A delivery waits for a table that is being written: half of it would lose mailboxes")
  func tableBeingWritten() throws {
    let host = try MailHost()
    try host.sandbox.write(
      "full", String(repeating: "x@example.org x/\n", count: 2000) + "you@example.org example.org/you/\n")
    try Command.check(["cp", "-p", host.sandbox("full"), host.sandbox("users")])
    try host.configure("", maps: "texthash:\(host.sandbox("users"))")
    let script = "cd \(host.sandbox.path); for i in $(seq 200); do : > users; cat full > users; done"
    let writer = try Command(["sh", "-c", script], asMailUser: true)
    let deliveries = try (0..<10).map { _ in try host.start(.bytes(MailHost.message(10))) }
    _ = writer.wait()
    for delivery in deliveries { #expect(delivery.wait().status == 0) }
  }

  @Test("An empty text table is taken for one that is still being written, and defers")
  func emptyTable() throws {
    let host = try MailHost()
    try host.sandbox.write("users", "")
    try host.configure("", maps: "texthash:\(host.sandbox("users"))")
    expectDeferred(try host.deliver(bytes: 10), "4.3.0", log: "the file is empty")
  }

  @Test("A byte order mark is reported: it is invisible, and part of the first name or key")
  func byteOrderMark() throws {
    let host = try MailHost()
    try host.sandbox.write("limits", "\u{FEFF}you@example.org 1000\n")
    try host.configure("virtual_mailbox_limit_maps = texthash:\(host.sandbox("limits"))")
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "byte order mark")
    try host.sandbox.write("ullage.cf", "\u{FEFF}" + (host.sandbox.text("ullage.cf") ?? ""))
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "line 1: the file begins with a byte order mark")
  }

  @Test("A missing table file is not reported as unreadable")
  func missingTable() throws {
    let host = try MailHost("virtual_mailbox_limit_maps = texthash:/nonexistent/limits")
    let delivery = try host.deliver(bytes: 10)
    expectDeferred(delivery, "4.3.5", log: "correct its name in ullage.cf")
    #expect(!delivery.warning.contains("setfacl"))
  }

  @Test("If the mail user cannot read a table file, the log names file, uid and remedy")
  func unreadableTable() throws {
    let host = try MailHost()
    try host.sandbox.write("limits.cf", "dbname = x\nquery = SELECT 1 WHERE '%s' = ''\n", mode: 0)
    try host.configure("virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))")
    let delivery = try host.deliver(bytes: 10)
    expectDeferred(delivery, "4.3.5", log: "Permission denied (as uid \(MailUser.id))")
    #expect(delivery.warning.contains("setfacl -m u:\(MailUser.id):r \(host.sandbox("limits.cf"))"))
  }

  @Test(
    "A limit that is not a single whole number is an error, never unlimited",
    arguments: [
      "10M", "1e9", "9223372036854775808", "", "100,200", "-", "0x10",
    ])
  func badLimit(value: String) throws {
    let host = try MailHost("virtual_mailbox_limit_maps = inline:{ {you@example.org = \(value)} }")
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "which is not a whole number")
    #expect(host.new == [])
  }

  @Test(
    "A path that leaves the base, or names no Maildir, defers and is logged",
    arguments: [
      ("example.org/../../etc/", "must not contain .."), ("example.org/you", "must end in /"),
      ("../x/", "must not contain .."),
      ("/", "must be below virtual_mailbox_base"), ("./", "must be below"),
    ])
  func badPath(path: String, log: String) throws {
    let host = try MailHost()
    try host.configure("", maps: "inline:{ you@example.org=\(path) }")
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: log)
    #expect(host.sandbox.list("base") == ["example.org"])
  }

  @Test("A symlink below the base is followed only if root owns it", .takesRoot)
  func symlinkBelowBase() throws {
    let host = try MailHost()
    try host.sandbox.makeDirectory("other/you")
    try Command.check(["rmdir", host.sandbox("base/example.org")])
    try Command.check(["ln", "-s", host.sandbox("other"), host.sandbox("base/example.org")])
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(host.sandbox.list("other/you/new").count == 1)
    try Command.check(["chown", "-h", "\(MailUser.id)", host.sandbox("base/example.org")])
    let refused = try host.deliver(bytes: 10)
    expectDeferred(refused, "4.3.5", log: "symlink not owned by root in the path: \(host.sandbox("base/example.org"))")
    #expect(host.sandbox.list("other/you/new").count == 1)
    // The log names the command that lets mail through.
    let command = try #require(refused.warning.firstMatch(of: #/(chown -h root .*)$/#)).1
    try Command.check(["sh", "-c", String(command)])
    #expect(try host.deliver(bytes: 10).status == 0)
  }

  /// A host in whose Maildir `name` is a symlink to a directory with cur and new.
  private func host(linking name: String) throws -> MailHost {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.makeMaildir()
    try host.sandbox.makeDirectory("elsewhere/cur")
    try host.sandbox.makeDirectory("elsewhere/new")
    if name.contains("/") { try host.sandbox.makeDirectory("\(host.maildir)/.Folder") }
    let link = host.sandbox("\(host.maildir)/\(name)")
    _ = try Command.run(["rmdir", link])
    try Command.check(["ln", "-s", host.sandbox("elsewhere"), link])
    return host
  }

  @Test("A symlink in the place of a part of the Maildir is not followed", arguments: ["cur", "new", "tmp"])
  func symlinkInside(name: String) throws {
    let host = try host(linking: name)
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "symlink inside the Maildir: \(name)")
    #expect(host.sandbox.list("elsewhere/new") == [] && host.sandbox.list("elsewhere/cur") == [])
  }

  @Test(
    "A folder that is a symlink is not counted, and the log says so; mail is delivered",
    arguments: [
      ".Folder", ".Folder/cur",
    ])
  func linkedFolder(name: String) throws {
    let host = try host(linking: name)
    try host.sandbox.write("elsewhere/cur/a,S=1000:2,S", "")
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.status == 0 && host.ledgerTotal == [10, 1])
    #expect(delivery.warning == "4Abc: warning: not counted, a folder that is a symlink: \(name)")
    // Once there is a ledger, nothing is counted, and nothing is said.
    #expect(try host.deliver(bytes: 10).warning == "")
  }

  @Test("A symlink to a file in the Maildir, such as Sieve's, is ignored")
  func sieveSymlink() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.makeMaildir()
    try Command.check(["ln", "-s", "sieve/main.sieve", host.sandbox("\(host.maildir)/.dovecot.sieve")])
    #expect(try host.deliver(bytes: 10).status == 0)
  }

  @Test(
    "Unusual recipients are looked up literally",
    arguments: [
      "o'brien@example.org", "a\\b@example.org", "%s@example.org", "-x@example.org", "a/../b@example.org",
      "a b@example.org", "\"q\"@example.org", String(repeating: "x", count: 65_000) + "@example.org", "@",
      "@example.org",
      "no-at-sign", "x'; DROP TABLE mailbox; --@example.org",
    ])
  func strangeRecipient(recipient: String) throws {
    let host = try MailHost()
    let arguments = host.arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=\(recipient)" : $0 }
    let refused = try host.deliver(MailHost.message(10), arguments: arguments)
    #expect(refused.status == 67 && refused.output.hasPrefix("5.1.1 "))
    try host.configure("", maps: "static:example.org/you/")
    #expect(try host.deliver(MailHost.message(10), arguments: arguments).status == 0)
    #expect(host.sandbox.list("base") == ["example.org"])
  }

  @Test("A recipient that is not UTF-8 is not found, and is escaped in the log")
  func invalidUTF8() throws {
    let host = try MailHost()
    try host.configure("", maps: "static:example.org/you/")
    let shell = ["sh", "-c", "exec \"$@\" \"--recipient=$(printf 'a\\377@example.org')\"", "sh"]
    let arguments = shell + host.arguments.filter { !$0.hasPrefix("--recipient=") }
    let refused = try host.deliver(MailHost.message(10), arguments: arguments)
    #expect(refused.status == 67)
    #expect(refused.log.first?.contains(#"to=<a\377@example.org>"#) == true)
  }

  @Test("Control characters in a recipient are escaped in the log")
  func controlCharacters() throws {
    let host = try MailHost()
    let arguments = host.arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=a\n4Abc: to=<x>@y" : $0 }
    let log = try host.deliver(MailHost.message(10), arguments: arguments).log
    #expect(log.count == 1 && log[0].contains(#"to=<a\0124Abc: to=<x>@y>"#))
  }

  @Test("An empty message defers and leaves no file")
  func emptyInput() throws {
    let host = try MailHost()
    expectDeferred(try host.deliver([]), "4.3.0", log: "the message is empty")
    let closed = try Command.run(host.arguments, input: .closed, asMailUser: true)
    #expect(closed.status == 75 && closed.output.hasPrefix("4.3.0 "))
    #expect(host.new == [] && host.tmp == [])
  }

  @Test("A Maildir of another user is left alone", .takesRoot)
  func wrongOwner() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.makeMaildir()
    try Command.check(["chown", "1234", host.sandbox(host.maildir)])
    try Command.check(["chmod", "777", host.sandbox(host.maildir)])
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "the Maildir belongs to uid 1234")
    #expect(host.ledger == nil)
  }

  @Test("A Maildir that cannot be written to defers", arguments: ["new", "tmp", ""])
  func unwritable(name: String) throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.makeMaildir()
    try Command.check(["chmod", "500", host.sandbox("\(host.maildir)/\(name)")])
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "Permission denied")
    #expect(host.new == [] && host.tmp == [])
  }

  @Test("A missing or empty base, such as an unmounted volume, defers")
  func base() throws {
    let host = try MailHost()
    try Command.check(["rmdir", host.sandbox("base/example.org")])
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "virtual_mailbox_base is empty")
    try host.configure("mailbox_base_may_be_empty = yes")
    #expect(try host.deliver(bytes: 10).status == 0)
    try Command.check(["rm", "-r", host.sandbox("base")])
    expectDeferred(try host.deliver(bytes: 10), "4.3.5", log: "virtual_mailbox_base does not exist")
  }

  @Test("virtual_uid_maps and virtual_gid_maps must name the user that the delivery runs as")
  func otherUser() throws {
    let host = try MailHost("virtual_uid_maps = static:1234")
    expectDeferred(
      try host.deliver(bytes: 10), "4.3.5", log: "virtual_uid_maps gives 1234, but deliveries run as uid")
    try host.configure("virtual_uid_maps = static:\(MailUser.id)\nvirtual_gid_maps = static:\(MailUser.group)")
    #expect(try host.deliver(bytes: 10).status == 0)
  }

  @Test(
    "A text for senders is plain text, with control characters masked and its length limited",
    arguments: [("virtual_maildir_limit_message", 10, "4.2.2"), ("virtual_maildir_oversize_message", 1001, "5.2.2")])
  func texts(parameter: String, bytes: Int, code: String) throws {
    let host = try MailHost("virtual_mailbox_limit = 1000\n\(parameter) = 100%s %n %m\u{1}\u{7F} ümlaut")
    try host.store("a,S=1000:2,S", bytes: 1000)
    #expect(try host.deliver(bytes: bytes).output == "\(code) maildir delivery failed: 100%s %n %m?? ümlaut")
    let long = String(repeating: "ä", count: 300)
    try host.configure("virtual_mailbox_limit = 1000\n\(parameter) = x\(long)")
    let output = try host.deliver(bytes: bytes).output
    #expect(output == "\(code) maildir delivery failed: x" + String(repeating: "ä", count: 199))
  }

  @Test("VDA's lines work unchanged: .Trash is not counted, and the text is printed without its quotes")
  func vdaLines() throws {
    let host = try MailHost()
    let lines = linesOfVDA(limits: "texthash:\(host.sandbox("limits"))")
    try host.sandbox.write("limits", "you@example.org 1000\n")
    try host.sandbox.write(
      "ullage.cf",
      """
      virtual_mailbox_base = \(host.sandbox("base"))
      virtual_mailbox_maps = inline:{ you@example.org=example.org/you/ }
      log_socket = \(host.logSocket)
      \(lines)

      """)
    try host.store("a,S=900:2,S", bytes: 900, folder: ".Trash")
    #expect(try host.deliver(bytes: 1000).status == 0)
    #expect(
      try host.deliver(bytes: 1).output
        == "4.2.2 maildir delivery failed: "
        + "Sorry, the recipients mailbox is currently full. Please try again later.")
  }
}

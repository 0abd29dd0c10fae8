// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Tables that only Postfix's own postmap(1) can read.
struct PostmapTests {
  private let host: MailHost

  init() throws {
    host = try MailHost()
    try Command.check(["chmod", "755", host.sandbox.path])
    try host.sandbox.write("mailboxes", "you@example.org example.org/you/\n-v@example.org example.org/dash/\n")
    try Command.check(["postmap", "hash:\(host.sandbox("mailboxes"))"], asMailUser: true)
  }

  @Test("A hash: table gives the path; a missing key is not found; a key like an option works")
  func hash() throws {
    try host.configure("recipient_delimiter = +", maps: "hash:\(host.sandbox("mailboxes"))")
    #expect(try host.deliver(to: "You+box@example.org", bytes: 300).status == 0)
    // postmap has not read the message from our standard input.
    #expect(host.newMessages() == [MailHost.message(300)])
    #expect(try host.deliver(to: "-v@example.org").status == 0)
    #expect(try host.deliver(to: "none@example.org").output.hasPrefix("5.1.1 "))
    // With the key - postmap would read keys from its input.
    #expect(try host.deliver(to: "-").output.hasPrefix("5.1.1 "))
  }

  @Test("A regexp: table is queried only for the whole address, as by Postfix, with its capitals")
  func regexp() throws {
    try host.sandbox.write("patterns", "/^you@/ example.org/short/\n/^You\\+/ example.org/you/\n")
    try host.configure("recipient_delimiter = +", maps: "regexp:\(host.sandbox("patterns"))")
    #expect(try host.deliver(to: "you+x@example.org").status == 0)
    #expect(try host.deliver(to: "she+you@example.org").output.hasPrefix("5.1.1 "))
    #expect(host.new.count == 1)
  }

  @Test(
    "A table that postmap cannot query defers, with postmap's own message",
    arguments: [
      ("hash:/nonexistent", "No such file or directory"), ("mysql:/x.cf", "unsupported dictionary type: mysql"),
      ("regexp:/nonexistent", "No such file or directory"), ("fail:x", "error"), ("tcp:127.0.0.1:1", "refused"),
    ])
  func failures(table: String, text: String) throws {
    try host.configure("", maps: table)
    let delivery = try host.deliver(to: "you@example.org")
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.0 "), "\(delivery)")
    #expect(delivery.warning.contains(table) && delivery.warning.contains(text), "\(delivery.log)")
  }

  @Test("Without Postfix's programs the delivery defers, and the log says what is missing")
  func withoutPostfix() throws {
    try host.configure("", maps: "hash:\(host.sandbox("mailboxes"))")
    let delivery = try host.deliver(bytes: 10, behind: "mount -t tmpfs none /usr/sbin")
    #expect(delivery.output.hasPrefix("4.3.0 ") && delivery.warning.contains("need Postfix's own programs"))
  }

  @Test("A postmap that hangs is killed at the delivery's deadline, and no process remains")
  func hangs() throws {
    let silent = try SilentServer()
    try host.configure("delivery_time_limit = 2s", maps: "tcp:127.0.0.1:\(silent.port)")
    let delivery = try host.deliver(to: "you@example.org")
    #expect(delivery.output.hasPrefix("4.3.0 ") && delivery.warning.contains("no answer in time"), "\(delivery.log)")
    let others = try Command.check(["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; true"])
    #expect(!others.contains("tcp:127.0.0.1:\(silent.port)"))
  }
}

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Delivery
import Foundation
import LMTPServer
import Posix
import TestSupport
import Testing
import Text

/// The life of the real `ullaged lmtp`: its clients, its end, its settings, and many deliveries at once.
struct LMTPServiceTests {
  private static let ok = "250 2.0.0 Delivered"
  private static let small = MailHost.message(100)
  private static let session =
    "LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@d>\r\nRCPT TO:<b@d>\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n"

  @Test("A connection that is closed at any byte before the dot leaves nothing, and the service goes on")
  func cutOff() throws {
    let lmtp = try LMTPHost()
    let end = try #require(Self.session.range(of: "\r\n.\r\n")).upperBound
    let before = Self.session[..<end].utf8.count
    for length in 0..<before {
      let client = try lmtp.connect()
      client.socket.send(Array(Self.session.utf8.prefix(length)))
    }
    #expect(try lmtp.deliver(Self.small, to: "c@d") == [Self.ok])
    #expect(lmtp.messages("a").isEmpty && lmtp.messages("b").isEmpty && lmtp.isTidy)
    // Connections that were closed are gone.
    let idle = lmtp.daemon.descriptors
    try waitUntil("the end of all connections") { lmtp.daemon.descriptors <= idle ? () : nil }
  }

  @Test("What a client sent before it closed its side is answered; QUIT may follow the dot at once")
  func halfClosed() throws {
    let lmtp = try LMTPHost()
    let client = try lmtp.connect()
    client.socket.send(Self.session)
    shutdown(client.socket.descriptor, Int32(SHUT_WR))
    #expect(client.replies(10).map { $0.prefix(3) } == ["250", "250", "250", "250", "354", "250", "250", "221"])
    #expect(lmtp.messages("a").count == 1 && lmtp.messages("b").count == 1)
  }

  @Test("A client that sends byte by byte, and one that sends 20,000 bad commands, are answered")
  func oddClients() throws {
    let lmtp = try LMTPHost()
    let slow = try lmtp.connect()
    for byte in Self.session.utf8 { slow.socket.send([byte]) }
    #expect(slow.replies(8).last == "221 2.0.0 Bye")
    let bad = try lmtp.connect()
    bad.socket.send(String(repeating: "nonsense\r\n", count: 20_000))
    #expect(bad.replies(30).map { $0.prefix(3) } == Array(repeating: "500", count: 20) + ["421"])
    #expect(try lmtp.deliver(Self.small, to: "c@d") == [Self.ok])
  }

  @Test("A hundred and one connections deliver at once, and take less than 64 MB")
  func manyConnections() throws {
    let lmtp = try LMTPHost()
    let clients = try (0...100).map { _ in try lmtp.connect() }
    for client in clients { #expect(client.begin(["a@d"]) == ["250 2.1.5 Ok"]) }
    for client in clients { client.socket.send(LMTPClient.encoded(Self.small)) }
    for client in clients {
      #expect(client.reply() == Self.ok, "\(lmtp.host.log.lines().filter { $0.contains("warning") })")
    }
    #expect(lmtp.messages("a").count == 101)
    #expect(lmtp.daemon.memory < 64 << 10, "\(lmtp.daemon.memory) KiB")
  }

  @Test("With too many connections the next one waits in the backlog; one between messages makes room for it")
  func overload() throws {
    // 40 descriptors suffice for 4 connections.
    let lmtp = try LMTPHost(launcher: MailUser.drop + ["sh", "-c", "ulimit -n 40; exec \"$@\"", "sh"])
    let clients = try (0..<4).map { _ in try lmtp.connect() }
    let waiting = try UnixSocket(connectingTo: lmtp.socket)
    waiting.send(Self.session)
    // The four are served, and the fifth has got nothing.
    for client in clients { #expect(client.ask("NOOP") == ["250 2.0.0 Ok"]) }
    #expect(!waiting.hasBytes)
    #expect(clients[0].deliver(Self.small, to: ["a@d"]) == [Self.ok])
    #expect(clients[0].reply() == nil)
    var received = ""
    while case let bytes = waiting.receive(), !bytes.isEmpty { received += bytes.text }
    #expect(received.hasSuffix("221 2.0.0 Bye\r\n") && lmtp.messages("a").count == 2)
    // Another place is free again.
    #expect(try lmtp.deliver(Self.small, to: "a@d") == [Self.ok])
  }

  @Test("SIGTERM lets a message come to its end, ends idle connections, and then the service")
  func drain() throws {
    let lmtp = try LMTPHost()
    let idle = try lmtp.connect()
    #expect(idle.deliver(Self.small, to: ["b@d"]) == [Self.ok])
    let busy = try lmtp.connect()
    #expect(busy.begin(["a@d"]) == ["250 2.1.5 Ok"])
    busy.socket.send("the first half\r\n")
    let new = try lmtp.connect()
    lmtp.daemon.command.kill(SIGTERM)
    #expect(idle.reply() == nil)
    busy.socket.send("the second half\r\n.\r\n")
    #expect(busy.reply() == Self.ok && busy.reply() == nil)
    // A connection that Postfix has just made is not refused.
    #expect(new.deliver(Self.small, to: ["c@d"]) == [Self.ok] && new.reply() == nil)
    #expect(lmtp.daemon.command.wait().status == 0)
    #expect(lmtp.messages("a").map(\.text) == ["Delivered-To: a@d\nthe first half\nthe second half\n"])
  }

  @Test("SIGHUP applies the new ullage.cf to the next message; a broken one is reported, and the old one stays")
  func reload() throws {
    let lmtp = try LMTPHost()
    let client = try lmtp.connect()
    #expect(client.deliver(Self.small, to: ["a@d"]) == [Self.ok])
    try lmtp.configure("virtual_mailbox_limit = 50")
    lmtp.daemon.command.kill(SIGHUP)
    try lmtp.waitForLog("were reloaded")
    #expect(client.deliver(Self.small, to: ["b@d"])[0].hasPrefix("552 5.2.2"))
    for (line, message) in [
      ("virtual_mailbox_limit = x", "the old configuration stays in effect"),
      ("lmtp_mailbox_concurrency = 0", "the old configuration stays in effect"),
    ] {
      try lmtp.configure(line)
      lmtp.daemon.command.kill(SIGHUP)
      try lmtp.waitForLog(message)
    }
    #expect(client.deliver(Self.small, to: ["b@d"])[0].hasPrefix("552 5.2.2"))
    try lmtp.configure("lmtp_listen = 127.0.0.1:1\nlmtp_clients = 127.0.0.1")
    lmtp.daemon.command.kill(SIGHUP)
    try lmtp.waitForLog("lmtp_listen has changed, which takes a restart of the service")
  }

  @Test(
    "Sessions and ullage-deliver at once leave exactly what there is room for, and count it", .timeLimit(.minutes(2)))
  func exactUnderLoad() throws {
    let lmtp = try LMTPHost("virtual_mailbox_limit = 1000\nlmtp_delivered_to = no")
    let clients = try (0..<32).map { _ in try lmtp.connect() }
    for client in clients { #expect(client.begin(["a@d"]) == ["250 2.1.5 Ok"]) }
    let arguments = lmtp.host.arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=a@d" : $0 }
    let programs = try (0..<8).map { _ in try Command(arguments, input: .bytes(Self.small), asMailUser: true) }
    for client in clients { client.socket.send(LMTPClient.encoded(Self.small)) }
    let replies = clients.map { $0.reply() ?? "" }
    let accepted = replies.count { $0 == Self.ok } + programs.map { $0.wait().status }.count { $0 == 0 }
    #expect(accepted == 10 && lmtp.messages("a").count == 10, "\(replies)")
    #expect(replies.allSatisfy { $0 == Self.ok || $0.hasPrefix("452 4.2.2") })
    #expect(lmtp.ledgerTotal("a") == [1000, 10], "\(lmtp.ledger("a") ?? "")")
  }

  @Test("A locked mailbox holds up only its own deliveries, however many there are")
  func lockedMailbox() throws {
    let lmtp = try LMTPHost("lmtp_mailbox_concurrency = 2\ndelivery_time_limit = 120")
    let lock = try lmtp.lock("a")
    // More than there are threads.
    let clients = try (0..<40).map { _ in try lmtp.connect() }
    for client in clients { #expect(client.begin(["a@d"]) == ["250 2.1.5 Ok"]) }
    for client in clients { client.socket.send(LMTPClient.encoded(Self.small)) }
    for _ in 0..<3 { #expect(try lmtp.deliver(Self.small, to: "b@d") == [Self.ok]) }
    lock.closeInput()
    for client in clients { #expect(client.reply() == Self.ok) }
    #expect(lmtp.messages("a").count == 40)
  }

  @Test("A message is read no further while it cannot be stored: the rest stays with the client")
  func readAhead() throws {
    let lmtp = try LMTPHost("lmtp_mailbox_concurrency = 1\ndelivery_time_limit = 120")
    let lock = try lmtp.lock("a")
    let clients = try (0..<2).map { _ in try lmtp.connect() }
    for client in clients { #expect(client.begin(["a@d"]) == ["250 2.1.5 Ok"]) }
    // It waits for the lock, and the other one for its turn.
    clients[0].socket.send(LMTPClient.encoded(Self.small))
    let part = [UInt8](repeating: UInt8(ascii: "a"), count: 64 << 10)
    var sent = 0
    while sent < 8 << 20, case let count = clients[1].socket.sendSome(part, within: 1000), count > 0 { sent += count }
    // What the service has read, and the buffers of two sockets.
    #expect(sent < 2 << 20)
    lock.closeInput()
    #expect(clients[0].reply() == Self.ok)
    clients[1].socket.send("\r\n.\r\n")
    #expect(clients[1].reply() == Self.ok && lmtp.messages("a").contains { $0.count > sent })
  }

  @Test("A delivery ends before Postfix gives up, which waits three minutes for a part to be taken")
  func longestTime() throws {
    for (configured, used) in [(100, 100), (170, 170), (171, 170), (900, 170)] {
      let file = ConfigurationFile(
        parsing: Array(
          "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\ndelivery_time_limit = \(configured)\n".utf8))
      let service = try LMTPService(
        Settings(file), LMTPSettings(file), log: DeliveryLog(SystemLog(socket: [], name: [])))
      #expect(service.timeLimit == used)
    }
  }

  @Test("A recipient whose mailbox stays locked is deferred in time, and no file appears after that")
  func timeLimit() throws {
    let lmtp = try LMTPHost("delivery_time_limit = 1")
    let lock = try lmtp.lock("a")
    #expect(
      try lmtp.deliver(Self.small, to: "a@d", "b@d")
        == ["451 4.3.0 The mail system has a temporary problem.", Self.ok])
    _ = lock.wait()
    #expect(try lmtp.deliver(Self.small, to: "a@d") == [Self.ok] && lmtp.messages("a").count == 1)
  }

  @Test("A thread that is stuck in a file system is answered for, and delivers nothing when it comes back")
  func stuck() throws {
    let strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=4s:when=1"]
    let lmtp = try LMTPHost("delivery_time_limit = 1\nlmtp_delivered_to = no", launcher: MailUser.drop + strace)
    try lmtp.host.sandbox.makeMaildir("base/d/a")
    try lmtp.host.sandbox.makeMaildir("base/d/b")
    let deferred = "451 4.3.0 The mail system has a temporary problem."
    let client = try lmtp.connect()
    #expect(client.deliver(Self.small, to: ["a@d", "b@d"]) == [deferred, deferred])
    try lmtp.waitForLog("not delivered within delivery_time_limit")
    // The same connection goes on meanwhile.
    #expect(client.ask("RSET", "NOOP") == ["250 2.0.0 Ok", "250 2.0.0 Ok"])
    // The service ends when the thread has come back.
    try Command.check(["pkill", "-TERM", "-P", "\(lmtp.daemon.command.process)"])
    #expect(lmtp.daemon.command.wait().status == 0)
    #expect(lmtp.messages("a").isEmpty && lmtp.messages("b").isEmpty && lmtp.isTidy)
  }

  @Test("A repeated recipient keeps the reply of its delivery, although another one was given up meanwhile")
  func repeatedAfterStuck() throws {
    let lmtp = try LMTPHost("delivery_time_limit = 1")
    for name in ["a", "b"] { try lmtp.host.sandbox.makeMaildir("base/d/\(name)") }
    let trace = try lmtp.trace("-P", lmtp.host.sandbox("base/d/b"), "-e", "inject=flock:delay_enter=4s")
    #expect(
      try lmtp.deliver(Self.small, to: "a@d", "b@d", "a@d") == [
        Self.ok, "451 4.3.0 The mail system has a temporary problem.", Self.ok,
      ])
    lmtp.daemon.command.kill(SIGTERM)
    #expect(lmtp.daemon.command.wait().status == 0)
    _ = trace.wait()
    #expect(lmtp.messages("a").count == 1 && lmtp.messages("b").isEmpty && lmtp.isTidy)
  }

  @Test("A message that is cut off is removed by another thread than the one that answers clients")
  func cutOffOnSlowDisk() throws {
    let lmtp = try LMTPHost("lmtp_delivered_to = no", environment: ["ULLAGE_FILE_SYSTEM": "nfs"])
    for name in ["a", "b"] { try lmtp.host.sandbox.makeMaildir("base/d/\(name)") }
    let trace = try lmtp.trace("-e", "inject=unlinkat:delay_enter=4s")
    do {
      let cut = try lmtp.connect()
      #expect(cut.begin(["a@d", "b@d"]) == ["250 2.1.5 Ok", "250 2.1.5 Ok"])
      cut.socket.send(Array(LMTPClient.encoded(MailHost.message(70_000)).dropLast(5)))
      try waitUntil("a file in tmp/") { lmtp.isTidy ? nil : () }
    }
    let other = try lmtp.connect()
    for _ in 0..<100 { #expect(other.ask("NOOP") == ["250 2.0.0 Ok"]) }
    #expect(!lmtp.isTidy)
    try waitUntil("an empty tmp/") { lmtp.isTidy ? () : nil }
    lmtp.daemon.command.kill(SIGTERM)
    #expect(lmtp.daemon.command.wait().status == 0)
    _ = trace.wait()
  }

  @Test("What was answered while it waited for its turn is not delivered later, and not in place of the next message")
  func answeredWhileWaiting() throws {
    let strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=4s:when=1"]
    let lmtp = try LMTPHost(
      "delivery_time_limit = 1\nlmtp_mailbox_concurrency = 1\nlmtp_delivered_to = no", launcher: MailUser.drop + strace)
    let clients = try (0..<2).map { _ in try lmtp.connect() }
    let messages = ["the first", "the second", "the third"].map { Array("\($0)\n".utf8) }
    // The first is stuck, so the second waits for its turn.
    for (client, message) in zip(clients, messages) {
      #expect(client.begin(["a@d"]) == ["250 2.1.5 Ok"])
      client.socket.send(LMTPClient.encoded(message))
    }
    for client in clients { #expect(client.reply()?.hasPrefix("451 4.3.0 ") == true) }
    let third = clients[1].deliver(messages[2], to: ["b@d"])
    try Command.check(["pkill", "-TERM", "-P", "\(lmtp.daemon.command.process)"])
    #expect(lmtp.daemon.command.wait().status == 0)
    #expect(lmtp.messages("a") == [] && lmtp.isTidy)
    #expect(lmtp.messages("b") == (third == [Self.ok] ? [messages[2]] : []), "\(third)")
  }

  @Test("A lookup that was answered while a thread was stuck with it is logged once, whatever it finds then")
  func lateLookup() throws {
    let limits = try Sandbox()
    try limits.write("limits", "a@d 1000\n")
    let lmtp = try LMTPHost("delivery_time_limit = 1\nvirtual_mailbox_limit_maps = texthash:\(limits("limits"))")
    try limits.write("limits", "a@d 2000\n")
    let trace = try lmtp.trace("-P", limits("limits"), "-e", "inject=openat:error=EIO:delay_enter=4s")
    #expect(
      try lmtp.connect().begin(["a@d", "b@d"])
        == Array(
          repeating: "451 4.3.0 The mail system has a temporary problem.", count: 2))
    lmtp.daemon.command.kill(SIGTERM)
    #expect(lmtp.daemon.command.wait().status == 0)
    _ = trace.wait()
    let verdicts = lmtp.host.log.lines().filter { $0.contains("to=<") }
    #expect(verdicts.count == 2 && verdicts.allSatisfy { $0.contains("status=deferred") }, "\(verdicts)")
  }

  @Test("What is left of a message that was answered late is removed by another thread than the one that answers")
  func leftover() throws {
    let lmtp = try LMTPHost(
      "delivery_time_limit = 1\nlmtp_mailbox_concurrency = 1\nlmtp_delivered_to = no",
      environment: ["ULLAGE_FILE_SYSTEM": "nfs"])
    for name in ["a", "b"] { try lmtp.host.sandbox.makeMaildir("base/d/\(name)") }
    let clients = try (0..<2).map { _ in try lmtp.connect() }
    let other = try lmtp.connect()
    #expect(clients[0].begin(["a@d"]) == ["250 2.1.5 Ok"])
    #expect(clients[1].begin(["a@d", "b@d"]) == ["250 2.1.5 Ok", "250 2.1.5 Ok"])
    // The second is stored, and waits for its turn, which the first has.
    clients[1].socket.send(Array(LMTPClient.encoded(MailHost.message(70_000)).dropLast(5)))
    try waitUntil("a file in tmp/") { lmtp.isTidy ? nil : () }
    let trace = try lmtp.trace("-e", "inject=fsync:delay_enter=4s:when=1", "-e", "inject=unlinkat:delay_enter=4s")
    clients[0].socket.send(LMTPClient.encoded(Self.small))
    clients[1].socket.send("aaa\r\n.\r\n")
    let replies = [clients[0].reply(), clients[1].reply(), clients[1].reply()]
    #expect(replies.allSatisfy { $0?.hasPrefix("451 4.3.0 ") == true }, "\(replies)")
    // A new message on that connection: nobody waits until the file of the old one is gone.
    #expect(clients[1].begin(["b@d"]) == ["250 2.1.5 Ok"])
    for _ in 0..<20 { #expect(other.ask("NOOP") == ["250 2.0.0 Ok"]) }
    #expect(lmtp.host.sandbox.list("base/d/a/tmp").count == 2)
    lmtp.daemon.command.kill(SIGTERM)
    #expect(lmtp.daemon.command.wait().status == 0)
    _ = trace.wait()
    #expect(lmtp.isTidy)
  }

  @Test("Connections leave neither memory nor descriptors behind, however they end")
  func noLeaks() throws {
    let lmtp = try LMTPHost("lmtp_delivered_to = no")
    func talk(_ count: Int) throws {
      for _ in 0..<count {
        // A repeated recipient; a message in several parts that is cut off; a client that says nothing.
        #expect(try lmtp.deliver(Self.small, to: "a@d", "b@d", "a@d").count == 3)
        let cut = try lmtp.connect()
        _ = cut.begin(["c@d"])
        cut.socket.send(Array(LMTPClient.encoded(MailHost.message(70_000)).dropLast(5)))
        _ = try lmtp.connect()
      }
    }
    try talk(5)
    let before = lmtp.daemon.descriptors
    try talk(20)
    try waitUntil("the end of what the connections had open") { lmtp.daemon.descriptors <= before ? () : nil }
  }

  @Test("On TCP only those who are listed may connect, and nobody sets a queue ID there", arguments: [true, false])
  func network(isListed: Bool) throws {
    let port = try freePort()
    let lmtp = try LMTPHost("lmtp_listen = 127.0.0.1:\(port)\nlmtp_clients = \(isListed ? "127.0.0.1" : "192.0.2.1")")
    let script = """
      import socket
      s = socket.create_connection(('127.0.0.1', \(port)), timeout=20)
      s.sendall(b'LHLO x\\r\\nXFORWARD IDENT=ABC\\r\\nQUIT\\r\\n')
      while (b := s.recv(1000)): print(b.decode(), end='')
      """
    let output = try withExtendedLifetime(lmtp) { try Command.run(["python3", "-c", script]).output }
    #expect(output.contains("250 SIZE") == isListed && !output.contains("XFORWARD"))
    #expect(!isListed || output.contains("500 5.5.1"))
  }

  @Test("Settings that leave nobody to connect, and a user who is not the mailboxes', end the service with a reason")
  func refusals() throws {
    let host = try MailHost("lmtp_listen = 127.0.0.1:24")
    let command = [Programs.path("ullaged"), "lmtp", "--config=\(host.sandbox("ullage.cf"))"]
    #expect(try Command.run(command, asMailUser: true).status == 78)
    #expect(host.log.lines().joined().contains("lmtp_listen needs lmtp_clients: the hosts that may connect"))
    try host.configure("lmtp_socket = \(host.sandbox("lmtp"))\nvirtual_minimum_uid = 70000")
    #expect(try Command.run(command, asMailUser: true).status == 78)
    #expect(host.log.lines().joined().contains("is below virtual_minimum_uid; run it as the user of the mailboxes"))
    try host.configure("")
    #expect(try Command.run(command, asMailUser: true).status == 71)
    #expect(host.log.lines().joined().contains("set lmtp_socket in ullage.cf, such as /run/ullage/lmtp"))
  }
}

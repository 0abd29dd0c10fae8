// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import TestSupport
import Testing
import Text

/// How the process handles its parent, its descriptors, its signals and its time limit.
struct ProcessTests {
  /// A parent that writes a message into a pipe, as pipe(8) does, and is killed in the middle of it. With SLOW_FILES it
  /// has so many of them on either side of the pipe, and all that it wrote has been read.
  private static let dyingParent = """
    import ctypes, fcntl, os, sys, termios
    libc = ctypes.CDLL(None)
    count = int(os.environ.get('SLOW_FILES', '0'))
    def open_slow_files():
        for number in range(count): libc.inotify_add_watch(libc.inotify_init1(os.O_CLOEXEC), b'/tmp', 2)
    open_slow_files()
    r, w = os.pipe()
    if os.fork() == 0:
        os.dup2(r, 0); os.close(r); os.close(w)
        os.execvp(sys.argv[1], sys.argv[1:])
    os.close(r)
    open_slow_files()
    os.write(w, b'x' * 30000)
    sys.stdin.buffer.read(1)
    while count and fcntl.ioctl(w, termios.FIONREAD, bytes(4)) != bytes(4): pass
    os.kill(os.getpid(), 9)
    """

  /// Hides the parent, which runs as root, from the delivery.
  private static let hiding = [
    "unshare", "--mount", "sh", "-ec", "mount -t proc -o hidepid=2 proc /proc; exec \"$@\"", "sh",
  ]

  @Test("Killing the parent in mid-message, 200 times, never leaves a cut message in new/ (pipe(8))")
  func parentKilled() throws {
    try killParents { ["python3", "-c", Self.dyingParent] + $0 }
  }

  @Test("The same where /proc does not show the parent (hidepid=2, ProtectProc=invisible)", .takesRoot)
  func hiddenParentKilled() throws {
    try killParents(asMailUser: false) { Self.hiding + ["python3", "-c", Self.dyingParent] + MailUser.drop + $0 }
  }

  /// The kernel closes the files of a dying process one by one, inotify(7)'s some milliseconds each: here the pipe is
  /// closed long before the end.
  @Test("The same with a parent that takes long to die", .takesRoot)
  func hiddenParentDiesSlowly() throws {
    try killParents(rounds: 3, together: 1, asMailUser: false, environment: ["SLOW_FILES": "20"]) {
      Self.hiding + ["python3", "-c", Self.dyingParent] + MailUser.drop + $0
    }
  }

  private func killParents(
    rounds: Int = 40, together: Int = 5, asMailUser: Bool = true, environment: [String: String] = [:],
    _ command: ([String]) -> [String]
  ) throws {
    let host = try MailHost("virtual_mailbox_limit = 100000000")
    for _ in 0..<rounds {
      let parents = try (0..<together).map { _ in
        try Command(
          command(host.arguments), input: .bytes([1]), environment: environment, asMailUser: asMailUser)
      }
      for parent in parents { #expect(parent.wait().status == -SIGKILL) }
      // Every delivery logs its end; none has delivered.
      var endings = 0
      try waitUntil("the end of all deliveries") {
        let lines = host.log.lines().filter { $0.contains("status=") }
        #expect(lines.allSatisfy { $0.contains("status=deferred") })
        endings += lines.count
        return endings == together ? () : nil
      }
    }
    #expect(host.new == [] && host.tmp == [])
  }

  @Test("A parent that exited before the start is noticed; input from a file needs no parent")
  func orphan() throws {
    let host = try MailHost()
    try host.sandbox.write("message", MailHost.message(100))
    let orphan =
      "import os, sys\nif os.fork(): os._exit(0)\nwhile os.getppid() != 1: pass\nos.execvp(sys.argv[1], sys.argv[1:])"
    let arguments = ["python3", "-c", orphan]
    let pipe = ["sh", "-c", "cat \"$0\" | \"$@\"", host.sandbox("message")] + arguments + host.arguments
    _ = try Command.run(pipe, asMailUser: true)
    #expect(try host.nextEnding().contains("status=deferred"))
    #expect(host.new == [])
    _ = try Command.run(arguments + host.arguments, input: .file(host.sandbox("message")), asMailUser: true)
    #expect(try host.nextEnding().contains("status=sent"))
  }

  @Test(
    "With any of descriptors 0 to 2 closed at the start, nothing is written where it does not belong",
    arguments: [
      "<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-",
    ])
  func closedDescriptors(closing: String) throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    let shell = ["sh", "-c", "exec \"$@\" \(closing)", "sh"]
    let delivery = try host.deliver(MailHost.message(100), arguments: shell + host.arguments)
    let hasInput = !closing.contains("<&-")
    #expect(delivery.status == (hasInput ? 0 : 75))
    #expect(host.newMessages() == (hasInput ? [MailHost.message(100)] : []))
  }

  @Test("A refusal whose text cannot be written becomes a deferral: pipe(8) would invent a text")
  func unsaidRefusal() throws {
    let host = try MailHost("virtual_mailbox_limit = 10")
    let shell = ["sh", "-c", "exec \"$@\" >/dev/full", "sh"]
    #expect(try host.deliver(MailHost.message(100), arguments: shell + host.arguments).status == 75)
  }

  @Test("delivery_time_limit ends a delivery whose input stalls, and nothing remains")
  func stalledInput() throws {
    let host = try MailHost("delivery_time_limit = 2s")
    let delivery = try host.start(.pipe)
    try delivery.write(MailHost.message(50))
    #expect(try host.nextEnding().contains("status=deferred"))
    let ending = delivery.wait()
    #expect(ending.status == 75 && ending.output.hasPrefix("4.3.0 "))
    #expect(host.new == [] && host.tmp == [])
  }

  @Test("delivery_time_limit ends a delivery whose input trickles, although no single read waits long")
  func tricklingInput() throws {
    let host = try MailHost("delivery_time_limit = 2s")
    let delivery = try host.start(.pipe)
    try waitUntil("the end of the delivery") {
      try delivery.write([UInt8(ascii: "x")])
      return host.log.lines().contains { $0.contains("status=deferred") } ? () : nil
    }
    #expect(delivery.wait().status == 75)
    #expect(host.new == [] && host.tmp == [])
  }

  @Test("A parent that blocks and ignores SIGALRM does not disable the deadline")
  func blockedAlarm() throws {
    let host = try MailHost("delivery_time_limit = 1s")
    let starter = """
      import os, signal, sys
      signal.signal(signal.SIGALRM, signal.SIG_IGN)
      signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
      os.execvp(sys.argv[1], sys.argv[1:])
      """
    let delivery = try Command(["python3", "-c", starter] + host.arguments, input: .pipe, asMailUser: true)
    try delivery.write(MailHost.message(50))
    #expect(try host.nextEnding().contains("status=deferred"))
    #expect(delivery.wait().status == 75)
  }

  @Test("A delivery waits for a locked Maildir, and then defers")
  func lockedMaildir() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000\ndelivery_time_limit = 2s")
    try #require(try host.deliver(bytes: 10).status == 0)
    let holder = try Command(
      ["flock", host.sandbox(host.maildir), "sh", "-c", "echo held > \(host.sandbox("held")); cat"], input: .pipe,
      asMailUser: true)
    _ = try waitUntil("the lock") { host.sandbox.text("held") }
    #expect(try host.deliver(bytes: 10).output.hasPrefix("4.3.0 "))
    _ = holder.wait()
    #expect(try host.deliver(bytes: 10).status == 0)
  }

  @Test("If another process blocks the count, mail for a full mailbox is deferred with 4.2.2, never bounced")
  func lockedCount() throws {
    let host = try MailHost(
      "virtual_mailbox_limit = 1000\nvirtual_overquota_bounce = yes\ndelivery_time_limit = 2s")
    try host.store("a,S=1000:2,S", bytes: 1000)
    try host.setLedger("1000S\n1000 1\n0 0\n")
    let holder = try Command(
      ["flock", host.sandbox("\(host.maildir)/cur"), "sh", "-c", "echo held > \(host.sandbox("held")); cat"],
      input: .pipe, asMailUser: true)
    _ = try waitUntil("the lock") { host.sandbox.text("held") }
    let full = try host.deliver(bytes: 10)
    #expect(full.status == 75 && full.output.hasPrefix("4.2.2 maildir delivery failed: "))
    try host.setLedger("garbage")
    let broken = try host.deliver(bytes: 10)
    #expect(broken.status == 75 && broken.output.hasPrefix("4.3.0 "))
    #expect(broken.warning.contains("raise recount_time_limit"))
    _ = holder.wait()
  }

  /// Starts 32 deliveries, lets each read its message, then ends all inputs, so that they decide together.
  private func deliverTogether(_ host: MailHost, environment: [String: String] = [:]) throws -> [Int32] {
    let deliveries = try (0..<32).map { _ in try host.start(.pipe, environment: environment) }
    for delivery in deliveries { try delivery.write(MailHost.message(100)) }
    for delivery in deliveries { try host.waitUntilMessageIsOpen(delivery) }
    for delivery in deliveries { delivery.closeInput() }
    return deliveries.map { $0.wait().status }
  }

  @Test(
    "32 parallel deliveries into a mailbox with room for 10 messages leave exactly 10, and the ledger matches",
    arguments: 1...8)
  func concurrency(round: Int) throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    let statuses = try deliverTogether(host)
    #expect(statuses.count { $0 == 0 } == 10 && statuses.count { $0 == 75 } == 22)
    #expect(host.new.count == 10)
    #expect(host.ledgerTotal == [1000, 10])
  }

  @Test("On a network file system the lock file has the same effect", arguments: 1...4)
  func concurrencyOnNetwork(round: Int) throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    let statuses = try deliverTogether(host, environment: ["ULLAGE_FILE_SYSTEM": "nfs"])
    #expect(statuses.count { $0 == 0 } == 10)
    #expect(host.new.count == 10 && host.ledgerTotal == [1000, 10])
  }

  @Test("Messages that together exceed the room are never all delivered, however their bytes arrive")
  func interleavedBodies() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    let deliveries = try (0..<4).map { _ in try host.start(.pipe) }
    for delivery in deliveries { try delivery.write(MailHost.message(300)) }
    for delivery in deliveries { try host.waitUntilMessageIsOpen(delivery) }
    for delivery in deliveries { try delivery.write(MailHost.message(100)) }
    let statuses = deliveries.map { $0.wait().status }
    #expect(statuses.count { $0 == 0 } == 2)
    #expect(host.ledgerTotal == [800, 2])
  }

  @Test("--help and --version print on a terminal or with /dev/null as input, never under pipe(8)")
  func help() throws {
    let version = try Command.run(["script", "-qec", "\(MailHost.program) --version", "/dev/null"])
    #expect(version.status == 0 && version.output.hasPrefix("ullage-deliver 0."))
    let help = try Command.run(["script", "-qec", "\(MailHost.program) --help", "/dev/null"])
    #expect(
      help.output.contains("usage: ullage-deliver") && help.output.contains("pipe flags=\(MasterEntry.flags) user="))
    for argument in MasterEntry.arguments { #expect(help.output.contains(argument)) }
    let notForPipe = try Command.run([MailHost.program, "--help"], asMailUser: true)
    #expect(notForPipe.status == 75 && notForPipe.output.hasPrefix("4.3.5 "))
    let toNobody = try Command.run([MailHost.program, "--version"], input: .file("/dev/null"))
    #expect(
      toNobody.status == 0
        && version.output.split(whereSeparator: \.isNewline).map(String.init) == [
          toNobody.output.trimmingCharacters(in: .newlines)
        ])
  }

  @Test("A log socket that is absent, full or not a socket delays nothing", arguments: ["absent", "full", "file"])
  func logSocket(kind: String) throws {
    let host = try MailHost()
    try host.sandbox.write("file", "")
    let text = try #require(host.sandbox.text("ullage.cf"))
    switch kind {
    case "full":
      // The socket is not read: this is more than its queue holds.
      for _ in 0..<30 {
        #expect(try Command.run(host.arguments, input: .bytes([65, 10]), asMailUser: true).status == 0)
      }
    default:
      try host.sandbox.write(
        "ullage.cf", text.replacingOccurrences(of: host.logSocket, with: host.sandbox(kind)))
      #expect(try host.deliver(bytes: 10).status == 0)
    }
  }

  @Test("The size in Postfix's queue is only logged")
  func queueSize() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    let delivery = try host.deliver(MailHost.message(10), arguments: host.arguments + ["--size=99999\u{7}"])
    #expect(delivery.status == 0)
    #expect(delivery.log.first?.contains(#"queue_size=99999\007, size=10, "#) == true)
  }

  @Test("A log line is one datagram with facility mail and the configured name")
  func logFormat() throws {
    let host = try MailHost("syslog_name = mail/ullage")
    _ = try Command.run(host.arguments, input: .bytes([65, 10]), asMailUser: true)
    let line = try #require(host.log.datagrams().first)
    let pattern = try Regex(#"<22>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} mail/ullage\[[0-9]+\]: 4Abc: to=<you@.*"#)
    #expect(line.wholeMatch(of: pattern) != nil, "\(line)")
  }
}

extension MailHost {
  /// The next line of the log that says how a delivery ended.
  func nextEnding() throws -> String {
    try waitUntil("the end of a delivery") { log.lines().first { $0.contains("status=") } }
  }
}

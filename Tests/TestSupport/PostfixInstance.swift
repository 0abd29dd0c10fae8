// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A private Postfix with its own directories, log and loopback port, and one transport: ours. It is
/// stopped when the test ends.
package final class PostfixInstance {
  package let sandbox: Sandbox
  package let port: Int
  let launcher: [String]
  private var logOffset = 0

  /// - Parameters:
  ///   - pipe: the part of the master.cf entry after `pipe`.
  ///   - settings: further lines for main.cf.
  ///   - launcher: a command that starts it, and its clients: in a network namespace of its own, for instance.
  package init(pipe: String, settings: String, launcher: [String] = []) throws {
    self.launcher = launcher
    guard geteuid() == 0 else { throw TestError("starting Postfix needs root") }
    sandbox = try Sandbox()
    port = try freePort()
    try Command.check(["chown", "root:root", sandbox.path])
    for name in ["config", "queue", "data"] {
      try Command.check(["mkdir", "-m", "755", sandbox(name)])
    }
    try Command.check(["chown", "postfix", sandbox("data")])
    try Command.check(["chmod", "700", sandbox("data")])
    let main = """
      compatibility_level = 3.6
      queue_directory = \(sandbox("queue"))
      data_directory = \(sandbox("data"))
      maillog_file = \(sandbox("log"))
      maillog_file_prefixes = \(sandbox.path)
      myhostname = mx.example.org
      mydestination =
      alias_maps =
      alias_database =
      inet_interfaces = 127.0.0.1
      inet_protocols = ipv4
      smtpd_recipient_restrictions = permit_mynetworks, reject
      smtpd_peername_lookup = no
      virtual_mailbox_domains = example.org
      virtual_transport = ullage
      ullage_destination_recipient_limit = 1
      minimal_backoff_time = 1s
      maximal_backoff_time = 2s
      queue_run_delay = 1s
      transport_retry_time = 1s
      service_throttle_time = 1s

      """
    let master = """
      127.0.0.1:\(port) inet n - n - - smtpd
      pickup unix n - n 60 1 pickup
      cleanup unix n - n - 0 cleanup
      qmgr unix n - n 1 1 qmgr
      rewrite unix - - n - - trivial-rewrite
      bounce unix - - n - 0 bounce
      defer unix - - n - 0 bounce
      trace unix - - n - 0 bounce
      verify unix - - n - 1 verify
      flush unix n - n 1000? 0 flush
      proxymap unix - - n - - proxymap
      error unix - - n - - error
      retry unix - - n - - error
      postlog unix-dgram n - n - 1 postlogd
      virtual unix - n n - - virtual
      ullage unix - n n - 20 pipe \(pipe)

      """
    // Only once each: Postfix warns of a name that is set twice, and postlogd(8), which logs that, may wait for itself.
    func name(_ line: some StringProtocol) -> String { String(line.prefix { $0 != " " && $0 != "=" }) }
    let given = Set(settings.split(separator: "\n").filter { !$0.hasPrefix(" ") }.map { name($0) })
    let rest = main.split(separator: "\n").filter { !given.contains(name($0)) }.joined(separator: "\n")
    try write("config/main.cf", "\(rest)\n\(settings)\n")
    try write("config/master.cf", master)
    try Command.check(launcher + ["postfix", "-c", sandbox("config"), "start"])
  }

  deinit { _ = try? Command.run(["postfix", "-c", sandbox("config"), "stop"]) }

  /// The options of the documented master.cf entry.
  package static func entry(_ host: MailHost, program: String) -> String {
    "flags=ORX user=nobody null_sender= argv=\(program) --config=\(host.sandbox("ullage.cf")) --sender=${sender}"
      + " --recipient=${recipient} --delivered-to=${recipient} --extension=${extension}"
      + " --original-recipient=${original_recipient} --queue-id=${queue_id} --size=${size}"
  }

  /// The entry that was documented before `--delivered-to`: pipe(8) writes Delivered-To.
  package static func oldEntry(_ host: MailHost, program: String) -> String {
    entry(host, program: program).replacing("flags=ORX", with: "flags=DORXhu")
      .replacing(" --delivered-to=${recipient} --extension=${extension}", with: "")
  }

  private func write(_ name: String, _ text: String) throws {
    try writeFile(sandbox(name), text.utf8)
  }

  /// Submits a message by SMTP, as a client on loopback.
  package func send(
    _ body: String, from sender: String = "me@example.org", to recipients: [String] = [MailHost.recipient]
  ) throws {
    let script = """
      import smtplib, sys
      s = smtplib.SMTP('127.0.0.1', \(port), timeout=60)
      s.sendmail(sys.argv[1], sys.argv[2:], sys.stdin.buffer.read())
      s.quit()
      """
    try Command.check(["python3", "-c", script, sender] + recipients, input: .bytes(Array(body.utf8)))
  }

  package var log: String { sandbox.text("log") ?? "" }

  /// Waits for the next line in Postfix's log from our transport, or from another.
  package func nextStatus(matching part: String = "status=", of transport: String = "ullage") throws -> String {
    try waitUntil("a line with \(part) in Postfix's log") {
      let lines = log.split(separator: "\n")
      guard
        let index = lines.indices.dropFirst(logOffset).first(where: {
          lines[$0].contains("relay=\(transport)") && lines[$0].contains(part)
        })
      else { return nil }
      logOffset = index + 1
      return String(lines[index])
    }
  }

  package func flush() throws { try Command.check(["postqueue", "-c", sandbox("config"), "-f"]) }

  package func setParameter(_ assignment: String) throws {
    try Command.check(["postconf", "-c", sandbox("config"), "-e", assignment])
    try reload()
  }

  /// Makes Postfix reread its configuration. master(8) does so in the background, so wait until the old queue
  /// manager has ended: it would still handle a message that comes at once.
  package func reload() throws {
    let before = try process("qmgr ")
    try Command.check(["postfix", "-c", sandbox("config"), "reload"])
    guard let before else { return }
    try waitUntil("the end of the old qmgr") { try process("qmgr ") == before ? nil : () }
  }

  /// The process of pipe(8) that runs our transport, nil when there is none.
  package func pipeProcess() throws -> Int32? { try process("pipe -n ullage") }

  /// The first process of this Postfix whose command line begins with `command`.
  private func process(_ command: String) throws -> pid_t? {
    let script =
      "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' 2>/dev/null < $p/cmdline) in \"$1\"*)"
      + " [ \"$(readlink $p/cwd)\" = \"$0\" ] && basename $p;; esac; done; true"
    let output = try Command.check(["bash", "-c", script, sandbox("queue"), command])
    return output.split(separator: "\n").compactMap { pid_t($0) }.first
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// All programs that share a mailbox, at once: deliveries, clients of two IMAP servers, and counts by each of them.
struct MixedWritersTests {
  /// Operations of all programs together; `scripts/stress` does 20,000.
  private static let operations = ProcessInfo.processInfo.environment["ULLAGE_STRESS"] == nil ? 500 : 20_000

  /// Runs one program again and again, and prints what it was told about each message: `accepted` or `refused`, and the
  /// message's number.
  ///
  /// A message is one line with a number and a filling that follows from it, so that its bytes can be checked.
  private static let script = """
    import json, os, random, re, subprocess, sys
    job, role = json.loads(sys.argv[1]), sys.argv[2]
    first, count = int(sys.argv[3]), int(sys.argv[4])
    r = random.Random(first)
    def message(number):
      return (f'Subject: {number}\\n\\n' + f'{number} ' * (number % 200) + '\\n').encode()
    def deliver():
      for number in range(first, first + count):
        done = subprocess.run(job['command'], input=message(number), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env={**os.environ, **job['environment']})
        print('accepted' if done.returncode == 0 else 'refused', number, flush=True)
    def imap():
      # Its own messages are stored and removed for good; others only get flags, or go to Trash.
      own_uids = set()
      for number in range(first, first + count):
        if (number - first) % 10 == 0:
          server = subprocess.Popen(job['command'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, env={**os.environ, **job['environment']})
          server.stdout.readline()
        def ask(line, literal=None):
          server.stdin.write(b't ' + line.encode() + b'\\r\\n'); server.stdin.flush()
          answers = []
          while True:
            answer = server.stdout.readline()
            if not answer: raise SystemExit(f'{role}: the server hung up after {line}')
            if answer.startswith(b'+') and literal is not None:
              server.stdin.write(literal + b'\\r\\n'); server.stdin.flush()
            elif answer.startswith(b't '): return answer, answers
            else: answers.append(answer)
        def uids(answers):
          return [u for a in answers if a.startswith(b'* SEARCH') for u in a.decode().split()[2:]]
        trash = job['trash']
        if number == first: ask(f'CREATE {trash}')
        ask('SELECT INBOX')
        own = f'Subject: own{number}\\r\\n\\r\\nhello\\r\\n'.encode()
        stored = re.search(rb'APPENDUID [0-9]+ ([0-9]+)', ask('APPEND INBOX {%d}' % len(own), own)[0])
        own_uids.add(stored[1].decode())
        present = uids(ask('UID SEARCH ALL')[1])
        # Courier shows a message that was just stored only later.
        for uid in own_uids.intersection(present):
          ask(f'UID STORE {uid} +FLAGS.SILENT (\\Deleted)'); ask('EXPUNGE')
          own_uids.remove(uid)
        others = [uid for uid in present if uid not in own_uids]
        for uid in r.sample(others, min(2, len(others))): ask(f'UID STORE {uid} +FLAGS.SILENT (\\\\Seen)')
        if others and number % 4 == 0:
          uid = r.choice(others)
          # COPY and then \\\\Deleted is what clients without MOVE do.
          if ask(f'UID COPY {uid} {trash}')[0].startswith(b't OK'):
            ask(f'UID STORE {uid} +FLAGS.SILENT (\\\\Deleted)'); ask('EXPUNGE')
        print('done', number, flush=True)
        if (number - first) % 10 == 9 or number == first + count - 1:
          ask('LOGOUT'); server.wait()
    def repeat():
      for number in range(first, first + count):
        done = subprocess.run(job['command'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env={**os.environ, **job['environment']})
        is_done = done.returncode in job['statuses']
        print('done' if is_done else f'failed {done.returncode} {done.stderr}', number, flush=True)
    {'deliver': deliver, 'imap': imap, 'repeat': repeat}[role]()
    """

  /// A program, and how often it runs in a hundred operations.
  private struct Job {
    let name: String
    let role: String
    let share: Int
    let command: [String]
    var environment: [String: String] = [:]
    var trash = ""
    var statuses: [Int] = [0]

    func json() throws -> String {
      let values: [String: Any] = [
        "command": command, "environment": environment, "trash": trash, "statuses": statuses,
      ]
      return String(decoding: try JSONSerialization.data(withJSONObject: values), as: UTF8.self)
    }
  }

  private func jobs(_ host: MailHost, _ dovecot: Dovecot) throws -> [Job] {
    let maildir = host.sandbox(host.maildir)
    let limit = Self.limit
    try host.sandbox.write("filter", "MAILDIRQUOTA=\"\(limit)S\"\nto \"\(maildir)/\"\n")
    let lda = dovecot.command(["/usr/lib/dovecot/dovecot-lda"], ["-e"])
    return [
      Job(name: "ours", role: "deliver", share: 25, command: host.arguments),
      Job(name: "ours again", role: "deliver", share: 25, command: host.arguments),
      Job(name: "deliverquota", role: "deliver", share: 8, command: ["deliverquota", maildir]),
      Job(
        name: "maildrop", role: "deliver", share: 8, command: ["maildrop", host.sandbox("filter")],
        environment: ["HOME": host.sandbox.path]),
      Job(name: "dovecot-lda", role: "deliver", share: 8, command: lda, environment: dovecot.environment),
      Job(
        name: "Courier", role: "imap", share: 8, command: try CourierIMAP(host).command,
        environment: try CourierIMAP(host).environment, trash: "INBOX.Trash"),
      Job(
        name: "Dovecot", role: "imap", share: 8, command: try dovecot.imapServer,
        environment: dovecot.environment, trash: "Trash"),
      Job(name: "maildirmake", role: "repeat", share: 2, command: ["maildirmake", "-q", "\(limit)S", maildir]),
      Job(
        name: "doveadm", role: "repeat", share: 2, command: dovecot.command(["doveadm"], ["quota", "recalc"]),
        environment: dovecot.environment),
      Job(
        name: "recompute", role: "repeat", share: 6, command: host.toolArguments(["recompute", MailHost.recipient]),
        statuses: [0, 2]),
    ]
  }

  private static let limit: Int64 = 1 << 40

  private func makeHost() throws -> MailHost {
    let host = try MailHost("virtual_mailbox_limit = \(Self.limit)\nmaildir_count_profile = courier")
    try host.makeMaildir()
    try host.setLedger("\(Self.limit)S\n 0 0\n")
    return host
  }

  /// Runs programs at once, and expects each message that was accepted to be there.
  private func run(_ jobs: [Job], on host: MailHost) throws {
    let running = try jobs.enumerated().map { index, job in
      let count = Self.operations * job.share / 100
      let arguments = [
        "python3", "-c", Self.script, try job.json(), job.role, "\((index + 1) * 1_000_000)", "\(count)",
      ]
      return (job, count, try Command(arguments, asMailUser: true))
    }
    var accepted: [Int] = []
    for (job, count, command) in running {
      let ending = command.wait()
      let lines = ending.output.split(separator: "\n")
      #expect(ending.status == 0 && lines.count == count, "\(job.name): \(ending)")
      let refused = lines.filter { $0.hasPrefix("failed") || $0.hasPrefix("refused") }
      // There is room for all of them. What the other programs refuse is theirs.
      #expect(refused.isEmpty || job.role == "deliver" && !job.name.hasPrefix("ours"), "\(job.name): \(refused[0])")
      print("mixed: \(job.name): \(count - refused.count) of \(count)")
      // Otherwise it has not taken part.
      #expect(refused.count <= count / 2, "\(job.name)")
      accepted += lines.filter { $0.hasPrefix("accepted ") }.compactMap { Int($0.dropFirst("accepted ".count)) }
    }
    try expectAll(accepted, host)
  }

  private func filesTotal(_ host: MailHost) throws -> [Int] {
    try Command.check(["sh", "-c", Self.sum, host.sandbox(host.maildir)]).split { !$0.isNumber }.compactMap { Int($0) }
  }

  @Test("After all programs at once every accepted message is there, and a recount at rest makes the total exact")
  func mixed() throws {
    let host = try makeHost()
    try run(try jobs(host, try Dovecot(host, limit: Self.limit, ignoresTrash: true)), on: host)
    let before = host.ledgerTotal
    // Long after, so that the mailbox is at rest.
    let recount = try Command.run(
      MailUser.drop + FakeClock.words(ahead: "40h") + host.toolArguments(["recompute", MailHost.recipient]))
    #expect(recount.status == 0, "\(recount)")
    let files = try filesTotal(host)
    print("mixed: the total was \(before ?? []), and is \(files)")
    #expect(host.ledgerTotal == files)
  }

  @Test("Our deliveries and recounts at once leave an exact total, without a recount at rest")
  func alone() throws {
    let host = try makeHost()
    let jobs = try jobs(host, try Dovecot(host, limit: Self.limit))
    try run(jobs.filter { $0.name.hasPrefix("ours") || $0.name == "recompute" }, on: host)
    #expect(host.ledgerTotal == (try filesTotal(host)))
  }

  /// The bytes and the number of messages that Courier's rule counts: not in Trash, not flagged as deleted.
  private static let sum = """
    cd "$0" && find . -path './.Trash' -prune -o -type f \\( -path '*/cur/*' -o -path '*/new/*' \\) ! -name '*:2,*T*' \
    -printf '%s\\n' | awk '{ bytes += $1; count++ } END { printf "%d %d\\n", bytes, count }'
    """

  /// Each accepted message is there at least once, with its bytes: IMAP clients copy it to Trash.
  private func expectAll(_ accepted: [Int], _ host: MailHost) throws {
    var found: Set<Int> = []
    for folder in ["new", "cur", ".Trash/cur", ".Trash/new"] {
      for name in host.sandbox.list("\(host.maildir)/\(folder)") {
        guard let text = host.sandbox.text("\(host.maildir)/\(folder)/\(name)"),
          let subject = text.firstMatch(of: #/(?m)^Subject: ([0-9]+)\r?$/#), let number = Int(subject.1)
        else { continue }
        let body = String(repeating: "\(number) ", count: number % 200) + "\n"
        if text.replacing("\r\n", with: "\n").hasSuffix("Subject: \(number)\n\n\(body)") { found.insert(number) }
      }
    }
    let missing = accepted.filter { !found.contains($0) }
    #expect(missing == [], "\(missing.count) of \(accepted.count) are missing")
    #expect(accepted.count >= Self.operations / 2)
  }
}

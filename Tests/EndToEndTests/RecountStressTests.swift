// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// Recounts of a mailbox that four other programs change at full speed for a minute.
struct RecountStressTests {
  private static let seconds = 60

  /// Changes a mailbox and its ledger as an IMAP server does, until the file `stop` appears.
  private static let server = """
    import os, random, sys, time
    root, job, stop = sys.argv[1:]
    r = random.Random(job)
    places = ['cur', '.A/cur', '.B/cur']
    def size(name): return int(name.split(',S=')[1].split(':')[0])
    def note(line):
      fd = os.open(root + '/maildirsize', os.O_WRONLY | os.O_APPEND)
      os.write(fd, line); os.close(fd)
    done = 0
    while not os.path.exists(stop):
      place = r.choice(['new'] + places)
      names = os.listdir(f'{root}/{place}')
      # Removals leave about 100 messages in each directory, so that recounts have something to count.
      if not names or job != 'move' and len(names) < 100: continue
      name = r.choice(names)
      try:
        if job == 'move':
          flags = r.choice(['S', 'RS', 'FS'])
          os.rename(f'{root}/{place}/{name}', f'{root}/{r.choice(places)}/' + name.split(':')[0] + ':2,' + flags)
        else:
          # Courier and Dovecot both remove the file first, and append to the ledger afterwards.
          os.unlink(f'{root}/{place}/{name}')
          note(b'-%d -1\\n' % size(name) if job == 'delete' else b'%12d %12d\\n' % (-size(name), -1))
        done += 1
      except FileNotFoundError: pass
    print(done)
    """

  private static let deliver = """
    n=0; while [ ! -e "$0" ]; do "$@" <"$MESSAGE" || exit; n=$((n + 1)); done; echo $n
    """

  private func fileTotal(_ host: MailHost) throws -> [Int] {
    let names = ["new", "cur", ".A/cur", ".B/cur"].flatMap { host.sandbox.list("\(host.maildir)/\($0)") }
    let sizes = try names.map { name in
      try #require(name.components(separatedBy: ",S=").last?.prefix { $0.isNumber }).description
    }
    return [sizes.reduce(0) { $0 + (Int($1) ?? 0) }, names.count]
  }

  @Test("While four programs deliver, move, delete and expunge for a minute, recounts lose no entry")
  func recount() throws {
    let host = try MailHost("virtual_mailbox_limit = 100000000000")
    try host.makeMaildir()
    for folder in [".A", ".B"] {
      try host.sandbox.makeMaildir("\(host.maildir)/\(folder)")
    }
    try host.setLedger("100000000000S\n 0 0\n")
    try host.sandbox.write("message", MailHost.message(4000))
    let stop = host.sandbox("stop")
    let trace = ["strace", "-f", "-T", "--seccomp-bpf", "-e", "trace=flock", "-o", host.sandbox("locks")]
    let delivery = try Command(
      trace + ["sh", "-c", Self.deliver, stop] + host.arguments, input: .bytes([]),
      environment: ["MESSAGE": host.sandbox("message")], asMailUser: true)
    let others = try ["move", "delete", "expunge"].map { job in
      try Command(
        ["python3", "-c", Self.server, host.sandbox(host.maildir), job, stop], input: .bytes([]), asMailUser: true)
    }
    var results: [String: Int] = [:]
    let end = Date().addingTimeInterval(Double(Self.seconds))
    while Date() < end {
      let ending = try host.ullage("recompute", MailHost.recipient, "--format=jsonl")
      results[try ending.records.first?["result"] ?? "nothing", default: 0] += 1
      #expect([0, 2].contains(ending.status), "\(ending)")
    }
    try host.sandbox.write("stop", "")
    let endings = ([delivery] + others).map { $0.wait() }
    #expect(endings.allSatisfy { $0.status == 0 }, "\(endings)")
    let counts = endings.compactMap { Int($0.output.split(separator: "\n").last ?? "") }
    #expect(counts.count == 4 && counts.allSatisfy { $0 > 100 }, "each of them was at work: \(counts)")

    let (total, expected) = (host.ledgerTotal, try fileTotal(host))
    #expect(total == expected, "\(results) \(counts) \(host.ledger ?? "")")

    #expect(results["exact"] ?? 0 > 5, "recounts found the ledger right while the others were at work: \(results)")

    // `123 flock(4, LOCK_EX) = 0 <0.000012>`
    let locks = try #require(host.sandbox.text("locks")).split(separator: "\n")
    let waits = locks.filter { $0.contains("LOCK_EX") }.compactMap { line in
      line.split(separator: "<").last.flatMap { Double($0.dropLast()) }
    }
    #expect(waits.count > 100 && (waits.max() ?? 9) < 1, "the longest wait for a lock: \(waits.max() ?? 0) s")
  }
}

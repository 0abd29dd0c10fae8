// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// The counting profiles compared with the programs they are named after, on random Maildirs.
struct ProfileTests {
  private static let trees = 300

  /// Makes `trees` Maildirs below the directory `base` of the host, the same ones in each run.
  private func makeTrees(_ host: MailHost) throws {
    let script = """
      import os, random, sys
      base = sys.argv[1]
      r = random.Random(4711)
      sizes = ['', ',S=7', ',S=007', ',S=', ',S=abc', ',S=12abc', ',S=5,S=9', ',W=9,S=8', ',S=8,W=9', ',W=9', ',S=0',
               ',s=5', ',S=123456789']
      infos = ['', ':2,', ':2,S', ':2,ST', ':2,T', ':2,aT', ':2,S,T', ':1,T', ':2,FST', ':2,S,S=5',
               ':b,S=5:2,S', ':2,TS']
      folders = ['', '.A', '.A.b', '.Sent', '.Trash', '.Trash.sub', '.trash', '.Deleted Items', 'nodot', '.A/.Nested']
      for tree in range(\(Self.trees)):
        root = f'{base}/{tree:03}'
        kept = [''] + [f for f in folders[1:] if r.random() < .5]
        names = []
        for folder in kept:
          for part in ('cur', 'new', 'tmp'):
            if folder and r.random() < .1: continue
            os.makedirs(f'{root}/{folder}/{part}', exist_ok=True)
            if part == 'tmp' and r.random() < .7: continue
            for number in range(r.randrange(4)):
              name = f'{root}/{folder}/{part}/' + r.choice(['', '', '', '', '.', '..'])
              name += f'{number}{tree}.host' + r.choice(sizes) + r.choice(infos)
              kind = r.random()
              if kind < .80 or not names:
                open(name, 'w').write('x' * r.randrange(300)); names.append(name)
              elif kind < .86: os.link(r.choice(names), name)
              elif kind < .92: os.symlink(r.choice(names), name)
              elif kind < .96: os.symlink('/nonexistent/file', name)
              else: os.mkdir(name)
          if folder and os.path.isdir(f'{root}/{folder}') and r.random() < .3:
            open(f'{root}/{folder}/maildirfolder', 'w')
        if r.random() < .2:
          os.makedirs(f'{base}/elsewhere{tree}/cur'); open(f'{base}/elsewhere{tree}/cur/x,S=77', 'w')
          os.symlink(f'{base}/elsewhere{tree}', f'{root}/.Linked')
      """
    try Command.check(["python3", "-c", script, host.sandbox("base")], asMailUser: true)
  }

  private var names: [String] { (0..<Self.trees).map { String(format: "%03d", $0) } }

  /// What `ullage recompute` counts in each tree.
  private func counted(_ host: MailHost) throws -> [String: String] {
    let directories = names.map { host.sandbox("base/\($0)") }
    let ending = try host.ullage(["recompute", "--dry-run", "--limit=1G", "--format=jsonl", "--maildir"] + directories)
    #expect(ending.status == 0, "\(ending.errors)")
    return try ending.records.reduce(into: [:]) { counted, record in
      let name = URL(fileURLWithPath: record["path"] ?? "").lastPathComponent
      counted[name] = "\(record["counted_bytes"] ?? "") \(record["counted_messages"] ?? "")"
    }
  }

  /// The total in the second line of the ledger that a program has just written.
  private func total(_ host: MailHost, _ name: String) -> String? {
    let line = host.sandbox.text("base/\(name)/maildirsize")?.split(separator: "\n").last
    return line.map { $0.split(separator: " ").joined(separator: " ") }
  }

  private func expectEqual(_ ours: [String: String], _ theirs: [String: String]) {
    #expect(ours.count == Self.trees && theirs.count == Self.trees)
    let different = names.filter { ours[$0] != theirs[$0] }
    let shown = different.prefix(5).map { "\($0): \(ours[$0] ?? "nothing"), \(theirs[$0] ?? "nothing")" }
    #expect(different == [], "\(different.count): \(shown)")
    #expect(Set(ours.values).count > Self.trees / 2, "the trees differ too little to prove anything")
  }

  @Test("courier: the same bytes and messages as maildirmake -q in 300 random Maildirs")
  func courier() throws {
    let host = try MailHost("maildir_count_profile = courier")
    try makeTrees(host)
    let ours = try counted(host)
    var theirs: [String: String] = [:]
    for name in names {
      try Command.check(["maildirmake.maildrop", "-q", "1000000000S", host.sandbox("base/\(name)")], asMailUser: true)
      theirs[name] = total(host, name)
    }
    expectEqual(ours, theirs)
  }

  @Test(
    "dovecot: the same bytes and messages as doveadm quota recalc in 300 random Maildirs, with and without the trash",
    arguments: ["yes", "no"])
  func dovecot(countsTrash: String) throws {
    let host = try MailHost("maildir_count_profile = dovecot\nvirtual_trash_count = \(countsTrash)")
    try makeTrees(host)
    let ours = try counted(host)
    let dovecot = try Dovecot(host, ignoresTrash: countsTrash == "no")
    var theirs: [String: String] = [:]
    for name in names {
      try dovecot.recalculate(name)
      theirs[name] = total(host, name)
    }
    expectEqual(ours, theirs)
  }
}

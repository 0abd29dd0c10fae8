// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Two hosts that deliver into one mailbox on an NFS server: three virtual machines with Linux's own NFS, of which one
/// loses its power in the middle of a delivery.
@Suite(
  .takesRoot, .serialized,
  .enabled(
    if: ProcessInfo.processInfo.environment["ULLAGE_VM_IMAGE"] != nil, "scripts/stress-vm runs it: it takes minutes"))
struct TwoHostsTests {
  /// The server and its two clients.
  private final class Farm {
    /// Bytes of a message.
    static let size = 1000
    /// Messages that a mailbox may hold.
    static let room = 10

    let sandbox: Sandbox
    let image: String
    let server: VirtualMachine
    let one: VirtualMachine
    private(set) var two: VirtualMachine

    init() throws {
      image = try #require(ProcessInfo.processInfo.environment["ULLAGE_VM_IMAGE"])
      sandbox = try Sandbox()
      let disk = sandbox("disk")
      try Command.check(["truncate", "-s", "64M", disk])
      try Command.check(["mkfs.ext4", "-q", disk])
      server = try VirtualMachine(
        "server", image: image, cables: [.listening(at: sandbox("1")), .listening(at: sandbox("2"))], disk: disk)
      // The server may forget a host's locks 10 seconds after its last sign of life.
      try server.shell(
        """
        ip addr add 10.0.1.1/24 dev eth0
        ip addr add 10.0.2.1/24 dev eth1
        ip link set eth0 up
        ip link set eth1 up
        mount -t ext4 /dev/vda /srv
        rmdir /srv/lost+found
        mkdir /srv/example.org
        chown 5000:5000 /srv/example.org
        modprobe nfsd
        mount -t nfsd nfsd /proc/fs/nfsd
        echo 10 >/proc/fs/nfsd/nfsv4leasetime
        echo 10 >/proc/fs/nfsd/nfsv4gracetime
        echo '/srv *(rw,sync,fsid=0,no_subtree_check)' >/etc/exports
        touch /var/lib/nfs/etab /var/lib/nfs/rmtab
        exportfs -r
        rpc.mountd --no-nfs-version 3
        rpc.nfsd --no-nfs-version 3 8
        """)
      one = try Self.host("one", 1, image, sandbox)
      two = try Self.host("two", 2, image, sandbox)
    }

    private static func host(
      _ name: String, _ number: Int, _ image: String, _ sandbox: Sandbox
    ) throws -> VirtualMachine {
      let machine = try VirtualMachine(name, image: image, cables: [.connected(to: sandbox("\(number)"))])
      let maps = (0..<10).map { "m\($0)@example.org=example.org/m\($0)/" }.joined(separator: ", ")
      try machine.shell(
        """
        ip addr add 10.0.\(number).2/24 dev eth0
        ip link set eth0 up
        modprobe nfsv4
        mount -t nfs4 -o vers=4.2 10.0.\(number).1:/ /srv
        cat >/etc/ullage/ullage.cf <<'S'
        virtual_mailbox_base = /srv
        virtual_mailbox_maps = inline:{ \(maps) }
        virtual_mailbox_limit = \(size * room)
        S
        cat >/bin/as-vmail <<'S'
        #!/bin/sh
        exec /sbin/setpriv --reuid=5000 --regid=5000 --clear-groups "$@"
        S
        cat >/bin/deliver <<'S'
        #!/bin/sh
        # usage: deliver MAILBOX NUMBER [PROGRAM...]
        # Delivers message NUMBER of this host and prints its name and the exit status.
        mailbox=$1 message=$(hostname)-$2
        shift 2
        printf 'Subject: %s\\n\\n%0982d\\n' $message 0 |
          as-vmail "$@" ullage-deliver --config=/etc/ullage/ullage.cf --sender=me@example.net \\
            --recipient=$mailbox@example.org --queue-id=$message >/dev/null
        echo $message $?
        S
        chmod 755 /bin/as-vmail /bin/deliver
        """)
      return machine
    }

    func startTwo() throws { two = try Self.host("two", 2, image, sandbox) }

    /// The messages in `new/` of a mailbox, as the server has them.
    func messages(_ mailbox: String) throws -> Set<String> {
      let output = Array(try server.shell("cat /srv/example.org/\(mailbox)/new/*"))
      let messages = stride(from: 0, to: output.count, by: Self.size).map { start in
        String(output[start..<min(start + Self.size, output.count)])
      }
      #expect(Set(messages).count == messages.count, "a message is there twice")
      return Set(messages)
    }

    /// The total of the ledger, as the server has it.
    func total(_ mailbox: String) throws -> [Int]? {
      MailHost.total(of: try server.shell("cat /srv/example.org/\(mailbox)/maildirsize"))
    }
  }

  /// Of what `deliver` prints, the messages with this exit status.
  private func messages(in output: String, withStatus status: Int) -> Set<String> {
    let names = output.split(separator: "\n").filter { $0.hasSuffix(" \(status)") }.map { $0.prefix { $0 != " " } }
    return Set(names.map { "Subject: \($0)\n\n\(String(repeating: "0", count: 982))\n" })
  }

  @Test("Two hosts at once: as many messages are accepted as there is room for, and the ledger is exact")
  func atOnce() throws {
    let farm = try Farm()
    for round in 0..<3 {
      let script = "for i in 11 12 13 14 15 16 17 18; do deliver m\(round) $i & done; wait"
      let (first, second) = (try farm.one.begin(script), try farm.two.begin(script))
      let output = try farm.one.finish(first) + farm.two.finish(second)
      let accepted = messages(in: output, withStatus: 0)
      #expect(accepted.count == Farm.room && messages(in: output, withStatus: 75).count == 16 - Farm.room, "\(output)")
      #expect(try farm.messages("m\(round)") == accepted)
      #expect(try farm.total("m\(round)") == [Farm.room * Farm.size, Farm.room])
      print("two hosts: at once: \(accepted.count) of 16 accepted, with room for \(Farm.room)")
    }
  }

  /// A delivery that is stopped behind the call with this number. After it the power is cut.
  struct Cut: Sendable, CustomStringConvertible {
    let call: String
    /// Nil for the last of a whole delivery.
    let number: Int?
    /// A part of that call, as strace(1) shows it.
    let sign: String
    /// What has been done by then.
    let description: String
  }

  private static let cuts = [
    Cut(call: "fsync", number: 1, sign: "/tmp/", description: "the message is in tmp/"),
    Cut(call: "fcntl", number: nil, sign: "/ullage.lock>", description: "it has the lock"),
    Cut(call: "write", number: 2, sign: "/maildirsize>", description: "the entry is written"),
    Cut(call: "fdatasync", number: 1, sign: "/maildirsize>", description: "the entry is on the server"),
    Cut(call: "linkat", number: 1, sign: "\"new/", description: "the message is in new/"),
    Cut(call: "fsync", number: 2, sign: "/new>", description: "the message is durable"),
  ]

  @Test("One host loses its power in the middle of a delivery: nothing is lost, and the limit holds")
  func powerCut() throws {
    let farm = try Farm()
    for (number, cut) in Self.cuts.enumerated() {
      let mailbox = "m\(number)"
      if number > 0 { try farm.startTwo() }
      let before = messages(
        in: try farm.two.shell("for i in 11 12 13; do deliver \(mailbox) $i; done"), withStatus: 0)
      #expect(before.count == 3)
      let whole = try farm.two.shell(
        "deliver m9 \(number + 1) /sbin/strace -o /tmp/whole -e trace=\(cut.call) >/dev/null; cat /tmp/whole")
      let calls = whole.split(separator: "\n").count { $0.hasPrefix("\(cut.call)(") }
      // It stops itself, and with it the delivery that holds what it holds.
      let trace = try farm.two.shell(
        """
        deliver \(mailbox) 14 /sbin/strace -y -o /tmp/trace -e trace=\(cut.call) \
          -e inject=\(cut.call):signal=SIGSTOP:when=\(cut.number ?? calls) >/dev/null &
        until grep -qs 'stopped by SIGSTOP' /tmp/trace; do usleep 10000; done
        grep -F '\(cut.call)(' /tmp/trace
        """)
      #expect(trace.split(separator: "\n").last?.contains(cut.sign) == true, "\(cut): \(trace)")
      let others = try farm.one.begin("for i in 11 12 13 14 15 16 17 18 19 20; do deliver \(mailbox) $i; done")
      farm.two.powerOff()
      let start = Date()
      let output = try farm.one.finish(others, seconds: 300)
      let accepted = before.union(messages(in: output, withStatus: 0))
      let stored = try farm.messages(mailbox)
      #expect(accepted.isSubset(of: stored), "after \(cut): \(output)")
      #expect(stored.count == Farm.room, "after \(cut): \(output)")
      let total = try farm.total(mailbox)
      #expect(total.map { $0[1] >= stored.count } == true, "after \(cut): \(String(describing: total))")
      try farm.one.shell(
        "as-vmail ullage recompute --limit=\(Farm.size * Farm.room) --maildir /srv/example.org/\(mailbox) || [ $? = 1 ]"
      )
      #expect(try farm.total(mailbox) == [stored.count * Farm.size, stored.count], "after \(cut)")
      print(
        "two hosts: power cut when \(cut): \(accepted.count) acknowledged, \(stored.count) there, ledger "
          + "\(total.map { "\($0[1])" } ?? "-"), \(Int(Date().timeIntervalSince(start))) s")
    }
  }
}

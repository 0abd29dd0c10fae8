// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// What a delivery costs, counted rather than timed. Uses the program that a package would contain.
struct CostTests {
  private let program: String

  init() throws { program = try Self.copy.get() }

  /// A copy that the mail user can reach, wherever the project is.
  private static let copy = Result { () throws -> String in
    try #require(ProcessInfo.processInfo.environment["ULLAGE_DELIVER"] != nil, "set by scripts/test")
    let path = MailHost.program + ".stripped"
    try Command.check(["strip", "-o", path, MailHost.program])
    return path
  }

  private func arguments(_ host: MailHost) -> [String] { [program] + host.arguments.dropFirst() }

  private func trace(_ host: MailHost, bytes: Int) throws -> [String] {
    let trace = ["strace", "-f", "-o", host.sandbox("trace")] + arguments(host)
    let ending = try Command.run(trace, input: .bytes(MailHost.message(bytes)), asMailUser: true)
    #expect(ending.status == 0)
    return (host.sandbox.text("trace") ?? "").split(separator: "\n").map(String.init)
  }

  @Test(
    "From opening the Maildir to exit, a delivery makes exactly 2 file syncs and at most 30 calls besides the body's")
  func systemCalls() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000000")
    try #require(try host.deliver(bytes: 100).status == 0)
    let lines = try trace(host, bytes: 4096)
    let start = try #require(lines.firstIndex { $0.contains("openat(") && $0.contains("\"you\"") })
    let calls = lines[start...].filter { line in
      let isInput = line.contains(" read(0,")
      let isBody = line.contains(" write(") && line.hasSuffix(" = 4096")
      return line.contains("(") && !isInput && !isBody
    }
    #expect(calls.count <= 30, "\(calls.joined(separator: "\n"))")
    #expect(lines.count { $0.contains(" fsync(") || $0.contains(" fdatasync(") } == 2)
  }

  @Test("A run without an SQL lookup does not load libpq, and needs no library but libc")
  func libraries() throws {
    let host = try MailHost()
    #expect(try !trace(host, bytes: 100).contains { $0.contains("libpq") })
    let needed = try Command.check(["readelf", "-d", program]).split(separator: "\n").filter { $0.contains("(NEEDED)") }
    #expect(needed.count == 1 && needed.allSatisfy { $0.contains("[libc.so.6]") }, "\(needed)")
  }

  @Test("The program is position independent, has all relocations read-only before it runs, and is below 1 MB")
  func form() throws {
    let dynamic = try Command.check(["readelf", "-d", program])
    #expect(dynamic.contains("Flags: NOW PIE"))
    #expect(try Command.check(["readelf", "-lW", program]).contains("GNU_RELRO"))
    #expect(!dynamic.contains("RUNPATH") && !dynamic.contains("RPATH"))
    #expect(try #require(FileManager.default.attributesOfItem(atPath: program)[.size] as? Int) <= 1_000_000)
  }

  /// A delivery of 4 KB from a pipe, as pipe(8) runs it, after an earlier one.
  private func host(lines: Int = 50) throws -> MailHost {
    let host = try MailHost()
    let others = (0..<lines).map { "user\($0)@example.org example.org/user\($0)/\n" }.joined()
    try host.sandbox.write("users", others + "\(MailHost.recipient) example.org/you/\n", mode: 0o644)
    try host.configure("virtual_mailbox_limit_maps = static:1000000000", maps: "texthash:\(host.sandbox("users"))")
    try #require(try host.deliver(bytes: 4096).status == 0)
    return host
  }

  private func instructions(_ host: MailHost) throws -> Int {
    let log = host.sandbox("callgrind.log")
    let options = ["--tool=callgrind", "--callgrind-out-file=\(host.sandbox("callgrind.out"))", "--log-file=\(log)"]
    let ending = try Command.run(
      ["env", "-i", "valgrind"] + options + arguments(host), input: .bytes(MailHost.message(4096)), asMailUser: true)
    try #require(ending.status == 0, "\(ending.errors) \(host.sandbox.text("callgrind.log") ?? "")")
    let collected = try #require(host.sandbox.text("callgrind.log")?.firstMatch(of: #/Collected : (\d+)/#))
    return try #require(Int(collected.1))
  }

  @Test("A delivery takes at most 550,000 instructions of the user's and 110 page faults")
  func instructionsAndFaults() throws {
    let instructions = try instructions(try host())
    #expect(instructions <= 550_000, "\(instructions)")
    let host = try host()
    try host.sandbox.write("message", MailHost.message(4096))
    // Those of Python's fork, which differ from run to run, are counted too.
    let faults = try (0..<3).map { _ in try pageFaults(host, file: host.sandbox("message")) }.min() ?? .max
    #expect(faults <= 110, "\(faults)")
  }

  @Test("Searching a texthash: file takes at most 100 instructions a line; a dictionary would take thousands")
  func longTable() throws {
    let (short, long) = (try instructions(try host()), try instructions(try host(lines: 10_000)))
    #expect(long - short <= 100 * 9950, "\(short) and \(long)")
  }

  /// The largest resident set of a delivery in KiB, up to its lock: by then the message is stored.
  private func peak(_ host: MailHost, file: String) throws -> Int {
    let delivery = try StoppedCommand(arguments(host), at: "flock", input: .file(file))
    let peak = try delivery.peakMemory()
    try #require(try delivery.resume().status == 0)
    return peak
  }

  /// The page faults of a delivery (wait4(2)), read by Python.
  private func pageFaults(_ host: MailHost, file: String) throws -> Int {
    let script = """
      import os, resource, subprocess, sys
      status = subprocess.run(sys.argv[1:], stdin=open('\(file)')).returncode
      print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt)
      """
    let output = try Command.check(["python3", "-c", script] + arguments(host), asMailUser: true)
    let numbers = output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    try #require(numbers.count == 2 && numbers[0] == 0, "\(output) \(host.log.lines())")
    return numbers[1]
  }

  @Test("A message of 200 MB takes at most 1 MB more memory than one of 4 KB")
  func largeMessage() throws {
    let host = try MailHost()
    try host.sandbox.write("small", MailHost.message(4096))
    try Command.check([
      "sh", "-c", "head -c 200000000 /dev/zero > \(host.sandbox("large")); chmod 644 \(host.sandbox("large"))",
    ])
    let small = try peak(host, file: host.sandbox("small"))
    let large = try peak(host, file: host.sandbox("large"))
    #expect(large - small <= 1024, "\(small) KiB and \(large) KiB")
  }

  @Test("Peak memory stays under 20 MB with libpq and TLS in use")
  func memory() throws {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 100_000)
    let key = cluster.sandbox("data/server.key")
    try Command.check(
      [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out",
        cluster.sandbox("data/server.crt"),
      ], asMailUser: true)
    try Command.check(["chmod", "600", key])
    try cluster.sql("ALTER SYSTEM SET ssl = on")
    try cluster.setAccess("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    let host = try MailHost()
    try host.sandbox.write(
      "limits.cf", cluster.tableFile(PostgresCluster.limitQuery, hosts: "127.0.0.1:\(cluster.port)"))
    try host.configure("virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))")
    try host.sandbox.write("message", MailHost.message(4096))
    let peak = try peak(host, file: host.sandbox("message"))
    #expect(peak < 20 * 1024, "\(peak) KiB")
  }
}

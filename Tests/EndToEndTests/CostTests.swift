// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// What a delivery costs, counted rather than timed. Uses the release build.
struct CostTests {
  private let program: String

  init() throws { program = try Self.copy.get() }

  /// A copy that the mail user can reach, wherever the project is.
  private static let copy = Result { () throws -> String in
    let built = try #require(ProcessInfo.processInfo.environment["ULLAGE_RELEASE"], "set by scripts/test")
    let path = MailHost.program + ".release"
    try Command.check(["install", "-m", "755", built, path])
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

  @Test("A run without an SQL lookup does not load libpq, and needs no library except the C and C++ runtime")
  func libraries() throws {
    let host = try MailHost()
    #expect(try !trace(host, bytes: 100).contains { $0.contains("libpq") })
    let needed = try Command.check(["readelf", "-d", program]).split(separator: "\n").filter { $0.contains("(NEEDED)") }
    for line in needed {
      #expect(
        ["libc.so", "libm.so", "libstdc++.so", "libgcc_s.so", "ld-linux"].contains { line.contains($0) }, "\(line)")
    }
  }

  /// The largest resident set of a delivery, in KiB (wait4(2), ru_maxrss), read by Python.
  private func peak(_ host: MailHost, file: String) throws -> Int {
    let script = """
      import os, resource, subprocess, sys
      status = subprocess.run(sys.argv[1:], stdin=open('\(file)')).returncode
      print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
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

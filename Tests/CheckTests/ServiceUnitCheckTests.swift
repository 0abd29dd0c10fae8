// SPDX-License-Identifier: Apache-2.0
import Findings
import TestSupport
import Testing

@testable import Check

/// Unit files in, findings out.
struct ServiceUnitCheckTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func findings(_ unit: String, user: String? = nil, base: String, isUsed: Bool = true) throws -> [String] {
    try sandbox.write("units/ullaged-lmtp.service", "[Service]\n\(unit)\n")
    // As old as an installed file; one that may still be written is waited for.
    try Command.check(["touch", "-d", "1 hour ago", sandbox("units/ullaged-lmtp.service")])
    return ServiceUnitCheck(
      base: Array(base.utf8), entryUser: user, isUsed: isUsed, directories: [sandbox("units")]
    ).findings().lines
  }

  @Test("The unit must let the service write below the base, through symlinks too")
  func place() throws {
    try sandbox.makeDirectory("mail/base")
    try Command.check(["ln", "-s", sandbox("mail"), sandbox("link")])
    let base = sandbox("mail/base")
    let closed = "ProtectSystem=strict\nProtectHome=yes\nReadWritePaths=-/nowhere"
    let finding = "error lmtp-unit it may not write below \(base)"
    #expect(try findings(closed, base: base) == [finding])
    #expect(try findings(closed, base: base, isUsed: false) == [finding.replacing("error", with: "warning")])
    for place in [base, sandbox("mail"), sandbox("mail") + "/", sandbox("link"), "/"] {
      #expect(try findings("\(closed)\nReadWritePaths=/other \"-\(place)\"", base: base) == [])
    }
    #expect(try findings("\(closed)\nReadWritePaths=\(base)x", base: base) == [finding])
    #expect(try findings("\(closed)\nReadWritePaths=\(base)", base: sandbox("link/base")) == [])
    #expect(try findings("ProtectHome=yes\nReadWritePaths=-/nowhere", base: base) == [])
    #expect(try findings(closed + "\nReadWritePaths=/root", base: "/root").count == 1)
    #expect(try findings(closed + "\nReadWritePaths=/root\nProtectHome=no", base: "/root") == [])
  }

  @Test("Domains on other disks, to which symlinks in the base lead, must be writable too")
  func links() throws {
    try sandbox.makeDirectory("base/plain")
    try sandbox.makeDirectory("disk/a")
    try sandbox.makeDirectory("disk/b")
    let base = sandbox("base")
    for (target, name) in [(sandbox("disk/a"), "a"), ("../disk/b", "b"), ("/nonexistent", "c"), ("../disk/b", "d")] {
      try Command.check(["ln", "-s", target, "\(base)/\(name)"])
    }
    let unit = "ProtectSystem=strict\nReadWritePaths=\(base)"
    #expect(
      Set(try findings(unit, base: base)) == [
        "error lmtp-unit it may not write below \(sandbox("disk/a"))",
        "error lmtp-unit it may not write below \(sandbox("disk/b"))",
      ])
    #expect(try findings("\(unit)\nReadWritePaths=\(sandbox("disk/a")) \(sandbox("disk/b"))", base: base) == [])
    // systemd ignores it.
    #expect(try findings("\(unit)\nReadWritePaths=\(sandbox("disk/a")) \(base)/../disk/b", base: base).count == 1)
    #expect(try findings("\(unit)\nReadWritePaths=\(sandbox("disk"))", base: base) == [])
  }

  @Test("It runs as the user of its unit; an entry for ullage-deliver with another user is a mistake in one of them")
  func user() throws {
    #expect(try findings("User=nobody", user: "nobody", base: "/") == [])
    #expect(try findings("User=nobody", user: "nobody:daemon", base: "/") == [])
    #expect(try findings("User=nobody", base: "/") == [])
    #expect(
      try findings("User=nobody", user: "daemon", base: "/") == [
        "error mail-user it runs as nobody, and the entry for ullage-deliver as daemon"
      ])
    #expect(try findings("User=no-such-user", user: "daemon", base: "/").count == 1)
  }

  @Test("Without the unit there is nothing to say")
  func noUnit() {
    #expect(
      ServiceUnitCheck(base: [], entryUser: "daemon", isUsed: true, directories: [sandbox("none")]).findings() == [])
  }
}

// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Site

/// Unit files in, the user of a service out.
struct UnitFileTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private var user: String? { UnitFile.user(of: "x.service", in: [sandbox("etc"), sandbox("lib")]) }

  /// As old as an installed file; one that may still be written is waited for.
  private func write(_ name: String, _ text: String) throws {
    try sandbox.write(name, text)
    try Command.check(["touch", "-d", "1 hour ago", sandbox(name)])
  }

  @Test("User= is that of the unit, or of the last drop-in, whose name decides the order (systemd.unit(5))")
  func order() throws {
    #expect(user == nil)
    try write("lib/x.service", "[Service]\nUser=vmail\n# User=other\n")
    #expect(user == "vmail")
    try write("lib/x.service.d/20-b.conf", "[Service]\nUser = second\n")
    try write("etc/x.service.d/10-a.conf", "[Service]\nUser=first\n")
    try write("etc/x.service.d/30-c", "[Service]\nUser=none\n")
    #expect(user == "second")
    try write("etc/x.service.d/20-b.conf", "[Service]\nUser=third\n")
    #expect(user == "third")
    try write("etc/x.service.d/90.conf", "[Service]\nUser=\n")
    #expect(user == nil)
    try write("etc/x.service", "[Service]\nExecStart=/x\n")
    try write("etc/x.service.d/90.conf", "[Service]\nGroup=x\n")
    #expect(user == "third")
  }

  @Test("A setting that may be repeated has all its values, up to an empty one")
  func lists() throws {
    func paths() -> [String]? { UnitFile.values(of: "Paths", in: "x.service", [sandbox("etc"), sandbox("lib")]) }
    #expect(paths() == nil)
    try write("lib/x.service", "[Service]\nPaths=/a\nPaths=-/b \"/c d\"\n")
    #expect(paths() == ["/a", "-/b \"/c d\""])
    try write("etc/x.service.d/a.conf", "[Service]\nPaths=/e\n")
    #expect(paths() == ["/a", "-/b \"/c d\"", "/e"])
    try write("etc/x.service.d/b.conf", "[Service]\nPaths=\nPaths=/f\n")
    #expect(paths() == ["/f"])
  }

  @Test("A unit without a user runs as root, and has none here")
  func root() throws {
    try write("lib/x.service", "[Service]\nExecStart=/x\n")
    #expect(user == nil)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// scripts/build-deliver with a toolchain that only notes how it was called.
struct BuildDeliverTests {
  private let sandbox: Sandbox
  private static let script = Project.path("scripts/build-deliver")

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write(".swift-version", "6.3.1\n")
    try Command.check(["install", "-D", Self.script, sandbox("scripts/build-deliver")])
    try Command.check(["mkdir", "-p", sandbox("bin"), sandbox("swift/embedded/Swift.swiftmodule")])
    try sandbox.write(
      "bin/swift", "#!/bin/sh\necho \"${ULLAGE_EMBEDDED-none} $*\" > \(sandbox("called"))\n", mode: 0o755)
  }

  private func build(_ options: [String] = [], version: String = "6.3.1", hasLibrary: Bool = true) throws
    -> Command.Ending
  {
    let information = """
      { "compilerVersion": "Swift version \(version) (swift-\(version)-RELEASE)",
        "moduleTriple": "x86_64-unknown-linux-gnu",
        "runtimeResourcePath": "\(sandbox("swift"))" }
      """
    try sandbox.write("information", information)
    try sandbox.write("bin/swiftc", "#!/bin/sh\ncat \(sandbox("information"))\n", mode: 0o755)
    if hasLibrary {
      try Command.check([
        "mkdir", "-p", sandbox("swift/embedded/x86_64-unknown-linux-gnu"),
        sandbox("swift/embedded/Swift.swiftmodule/x86_64-unknown-linux-gnu.swiftmodule"),
      ])
    }
    return try Command.run(
      [sandbox("scripts/build-deliver")] + options,
      environment: ["PATH": "\(sandbox("bin")):/usr/bin:/bin", "ULLAGE_EMBEDDED": "/inherited"])
  }

  private var called: String { sandbox.text("called") ?? "" }

  @Test("The release is Embedded Swift, by the directory that the toolchain itself names", arguments: [false, true])
  func embedded(withFaults: Bool) throws {
    let ending = try build(withFaults ? ["--faults"] : [])
    let scratch = withFaults ? ".build/embedded-faults" : ".build/embedded"
    #expect(ending.output == "\(sandbox.path)/\(scratch)/release/ullage-deliver\n" && ending.errors == "")
    #expect(called.hasPrefix("\(sandbox("swift/embedded/x86_64-unknown-linux-gnu")) build -c release "))
    #expect(called.contains("--experimental-lto-mode=full") && called.contains("--scratch-path \(scratch)\n"))
    #expect(called.contains("-DDEBUG") == withFaults)
  }

  @Test("With --ordinary it is ordinary Swift, in the folder of all other programs")
  func ordinary() throws {
    #expect(try build(["--ordinary"]).output == "\(sandbox.path)/.build/release/ullage-deliver\n")
    #expect(called.hasPrefix("none build ") && !called.contains("lto"))
  }

  @Test("A toolchain without the embedded library, or another than the tested one, builds ordinary Swift and says so")
  func fallback() throws {
    let lacking = try build(hasLibrary: false)
    #expect(
      lacking.errors == """
        build-deliver: this toolchain has no Embedded Swift for x86_64-unknown-linux-gnu; building ullage-deliver in \
        ordinary Swift

        """)
    #expect(lacking.output == "\(sandbox.path)/.build/release/ullage-deliver\n" && called.hasPrefix("none build "))
    let other = try build(version: "6.4")
    #expect(
      other.errors == """
        build-deliver: this is Swift 6.4, and Embedded Swift is tested with 6.3.1 only; building ullage-deliver in \
        ordinary Swift

        """)
    #expect(other.output == lacking.output && called.hasPrefix("none build "))
  }

  @Test("A build that fails prints what the compiler says, and no path; a wrong option prints the usage")
  func failure() throws {
    try sandbox.write("bin/swift", "#!/bin/sh\necho broken; exit 1\n", mode: 0o755)
    let ending = try build()
    #expect(ending.status == 1 && ending.output == "" && ending.errors == "broken\n")
    let usage = try build(["--debug"])
    #expect(usage.status == 64 && usage.output == "" && usage.errors.hasPrefix("usage: scripts/build-deliver "))
  }
}

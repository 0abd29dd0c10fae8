// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// scripts/check on copies of the project, each with one rule broken.
struct ScriptsCheckTests {
  private static let project = Project.directory

  @Test(
    "scripts/check fails on each broken rule, and names it",
    arguments: [
      ("format", "printf 'let  x=1\\n' >> Sources/Quota/QuotaLimit.swift", "format: run"),
      ("warnings", "sed -i 's/.strictMemorySafety(),//' Package.swift", "warnings: Package.swift lacks"),
      ("warnings", "sed -i 's/.treatAllWarnings(as: .error),//' Package.swift", "warnings: Package.swift lacks"),
      ("warnings", "sed -i 's/\"-static-stdlib\"//' Package.swift", "warnings: Package.swift lacks"),
      ("warnings", "sed -i 's/object-outliner//' Package.swift", "warnings: Package.swift lacks object-outliner"),
      (
        "warnings", "printf 'func warn() { let unused = 1 }\\n' >> Sources/Quota/QuotaLimit.swift",
        "warnings: the build fails"
      ),
      ("arrows", "sed -i '2i import Delivery' Sources/Maildir/Maildir.swift", "imports Delivery"),
      ("arrows", "sed -i '2i import Glibc' Sources/Quota/QuotaLimit.swift", "imports Glibc"),
      (
        "arrows", "sed -i 's/name: \"Quota\"/name: \"Quota\", dependencies: [\"Maildir\"]/' Package.swift",
        "arrows: Quota depends on Maildir"
      ),
      (
        "arrows", "sed -i 's/| `Quota` | \\(.*\\) | –/| `Quota` | \\1 | Text/' ARCHITECTURE.md",
        "ARCHITECTURE.md says that Quota imports Text"
      ),
      ("arrows", "sed -i '/| `Site` |/d' ARCHITECTURE.md", "Site is not in ARCHITECTURE.md's table"),
      ("arrows", "sed -i '/import Findings$/d' Sources/Site/*.swift", "Site depends on Findings and does not"),
      ("arrows", "printf 'let p = unsafe f()\\n' >> Sources/Delivery/Manual.swift", "contains the word unsafe"),
      ("arrows", "mkdir Sources/Helpers", "Helpers has no place"),
      ("text", "seq -s ' ' 60 >> SECURITY.md", "text: SECURITY.md:"),
      ("text", "printf '# %0120d\\n' 1 >> scripts/test", "has 122 columns, more than 120"),
      ("text", "printf 'package struct Bare {}\\n' >> Sources/Quota/QuotaLimit.swift", "Bare has no documentation"),
      (
        "text",
        "sed -i 's/- Parameter limit: the longest text/- Parameter most: the longest text/' Sources/Socketmap/*.swift",
        "a comment describes most, which is no parameter of package static func parse("
      ),
      (
        "foundation", "sed -i '2i import Foundation' Sources/Tables/TableSet.swift",
        "foundation: not in the delivery path"
      ),
      (
        "foundation", "sed -i '2i import ArgumentParser' Sources/ullage-deliver/main.swift",
        "foundation: not in the delivery path"
      ),
      (
        "modes", "printf 'func f() throws {}\\n' >> Sources/Quota/QuotaLimit.swift",
        "modes: scripts/build-deliver fails"
      ),
      (
        "libraries", "mkdir -p .build/release && cp /usr/bin/dpkg-query .build/release/ullage-deliver",
        "libraries: .build/release/ullage-deliver needs"
      ),
      ("libraries", "rm -rf .build", "libraries: .build/embedded/release/ullage-deliver: build it first"),
      ("manuals", "printf '.Bogus x\\n' >> man/ullage.cf.5", "manuals: man/ullage.cf.5"),
      (
        "manuals", "sed -i 's/default: 51200000/default: 1/' man/ullage.cf.5",
        "virtual_mailbox_limit is '51200000' in the code"
      ),
      (
        "manuals", "sed -i 's/Ic virtual_trash_name/Ic virtual_trash_nam/' man/ullage.cf.5",
        "virtual_trash_name is not in"
      ),
    ])
  func broken(part: String, change: String, finding: String) throws {
    let copy = try Sandbox()
    try Command.check([
      "sh", "-ec",
      "cd \(Self.project); git ls-files -z | xargs -0 cp --parents -t \(copy.path); cd \(copy.path); \(change)",
    ])
    let ending = try Command.run([copy("scripts/check"), part], environment: Self.environment)
    #expect(ending.status == 1)
    #expect(ending.errors.contains(finding), "\(ending.errors)")
  }

  /// The toolchain may be outside the standard path.
  private static let environment: [String: String] = {
    let own = ProcessInfo.processInfo.environment
    return own.filter { ["PATH", "HOME"].contains($0.key) }
  }()
}

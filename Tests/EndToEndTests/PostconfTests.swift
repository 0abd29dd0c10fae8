// SPDX-License-Identifier: Apache-2.0
import Foundation
import Site
import TestSupport
import Testing

/// main.cf and master.cf as this program reads them, compared with postconf(1) of the Postfix that is installed.
struct PostconfTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  /// The output of postconf(1), with blanks as this program writes them: postconf folds them.
  private func postconf(_ files: PostfixFiles, _ options: String...) throws -> String {
    Self.folded(try Command.check(["postconf", "-c", files.path] + options))
  }

  private static func folded(_ text: String) -> String {
    text.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
      .joined(separator: "\n")
  }

  /// Lines for main.cf that are easily misread. Each case sets `mydestination`, which has no side effects.
  private static let mains = [
    "mydestination = a b\n", "mydestination=a\n", "mydestination =\n", "  \nmydestination = a # no comment\n",
    "mydestination = a,\n  b\n# between\n\tc\n", "mydestination = a\n   # comment\n  b\n\n\n  c\n",
    "mydestination = a\nmydestination = b\n", "mydestination = a   \nmyorigin = x\n", "mydestination = a=b\n",
    "x = 1\nmydestination = $x/${x}/$(x)\n", "x = 1\nmydestination = $$x\n", "x =\nmydestination = [$x]\n",
    "x = 1\nmydestination = ${x?yes}${x:no}\n", "x =\nmydestination = ${x?yes}${x:no}\n",
    "x = 1\nmydestination = ${x?{a b}:{c d}}\n", "x =\nmydestination = ${x?{a b}:{c d}}\n",
    "x = 1\ny = $x$x\nmydestination = $y,${y?$x}\n", "mydestination = $undefined.\n", "x = 1\nmydestination = $x.org\n",
    "x = 1\nmydestination = $x-y $x_y ${x}_y\nx_y = 2\n", "x = 1\nmydestination = ${ x }\n",
    "mydestination = \"a b\"\n", "mydestination = {a b}\n", "x = a\n b\nmydestination = <$x>\n",
    "mydestination = ümlaut\n",
    "mydestination = a\\\n  b\n",
  ]

  @Test("A value of main.cf is what postconf says", arguments: mains)
  func main(text: String) throws {
    let files = try PostfixFiles(sandbox, main: "compatibility_level = 3.6\n\(text)")
    let value = try PostfixDirectory(files.path).value(of: "mydestination")
    #expect(try Self.folded(value ?? "") == postconf(files, "-hx", "mydestination"))
  }

  /// Without `-oname=value`, which the daemons accept (getopt(3)) and postconf does not show.
  private static let masters = [
    PostfixFiles.virtual, "a unix - n n - 20 pipe user=x argv=/p\n", "a inet n - y - - smtpd\n",
    "a unix n - - 60? 0 qmgr\n",
    "a unix - n n - - pipe\n  flags=O user=x\n# between\n  argv=/p --a=${sender} { b c }\n",
    "a unix - n n - - virtual -o soft_bounce=yes -o virtual_mailbox_limit=5\n",
    "a unix - n n - - virtual -o { mydestination = a b }\n",
    "a unix - n n - - virtual -o {mydestination=a b}\n", "a unix - n n - - virtual -o soft_bounce=\n",
    "a unix - n n - - virtual -o soft_bounce=no -o soft_bounce=yes\n",
    "a unix - n n - - virtual -v -o soft_bounce=yes\n",
    "a unix - n n - - virtual\nb unix - - - - - virtual -o soft_bounce=yes\n",
  ]

  @Test("The entries of master.cf, their fields and their -o settings, are what postconf says", arguments: masters)
  func master(text: String) throws {
    let files = try PostfixFiles(sandbox, main: "compatibility_level = 3.6\n", master: text)
    let services = try PostfixDirectory(files.path).master.services
    var fields: [String: String] = [:]
    for line in try postconf(files, "-F").split(separator: "\n") {
      let parts = line.split(separator: " = ", maxSplits: 1)
      fields[String(parts[0])] = parts.count == 2 ? String(parts[1]) : ""
    }
    #expect(services.count * 8 == fields.count)
    for service in services {
      let key = "\(service.name)/\(service.type)"
      #expect(service.isUnprivileged == (fields["\(key)/unprivileged"] != "n"))
      #expect(service.isChrooted == ["y": true, "n": false][fields["\(key)/chroot"] ?? ""])
      #expect(service.processLimit == fields["\(key)/process_limit"].flatMap { Int64($0) })
      let command = try #require(fields["\(key)/command"])
      #expect(
        command.hasPrefix(service.command) && command.hasSuffix(service.program.last.map { $0 } ?? "")
          || command.hasSuffix("}"))
    }
    // The same lines as `postconf -P` prints.
    let overrides = services.flatMap { service in
      service.overrides.map { Self.folded("\(service.name)/\(service.type)/\($0.key) = \($0.value)") }
    }
    #expect(try overrides.sorted() == postconf(files, "-P").split(separator: "\n").map(String.init).sorted())
  }

  @Test("A line that postconf takes back is read as before: a command set by -F")
  func setting() throws {
    let files = try PostfixFiles(
      sandbox, main: "compatibility_level = 3.6\n",
      master: "a unix - n n - - pipe flags=O user=x -o { mydestination = a b } argv=/p --user=y { b c }\n")
    let service = try #require(try PostfixDirectory(files.path).master.services.first)
    try Command.check([
      "postconf", "-c", files.path, "-F",
      "a/unix/command=\(service.commandLine(setting: [("user", "vmail")], running: service.program))",
    ])
    let changed = try #require(try PostfixDirectory(files.path).master.services.first)
    #expect(changed.attributes == ["flags": "O", "user": "vmail"])
    #expect(changed.program == service.program && changed.overrides == service.overrides)
  }
}

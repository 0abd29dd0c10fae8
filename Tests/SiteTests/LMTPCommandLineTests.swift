// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing

@testable import Site

/// Entries of master.cf that run lmtp(8).
struct LMTPCommandLineTests {
  private func service(_ command: String) throws -> MasterService {
    try #require(try MasterFile(parsing: Array("x unix - - n - - \(command)\n".utf8)).services.first)
  }

  @Test(
    "An option after the flags is seen: lmtp(8) does not start with it",
    arguments: [
      ("lmtp flags=ORX", "ORX", false), ("lmtp", nil, false), ("lmtp -o a=b flags=RX", "RX", false),
      ("lmtp flags=RX -o a=b", "RX", true), ("lmtp flags=RX -v", "RX", true),
      ("pipe flags=R user=x argv=/p -o x", "R", false),
    ])
  func flags(command: String, flags: String?, isLate: Bool) throws {
    let service = try service(command)
    #expect(service.attributes["flags"] == flags && service.hasLateOption == isLate)
  }

  @Test(
    "What is set in a command line is there once, before the flags, and the rest stays",
    arguments: [
      ("lmtp", "lmtp -o l=0 flags=RX"), ("lmtp flags=DORX -o l=998", "lmtp -o l=0 flags=RX"),
      ("lmtp -v -o soft_bounce=yes -ol=9 flags=R", "lmtp -v -o soft_bounce=yes -o l=0 flags=RX"),
      ("lmtp -o { l = 5 } -o { a = b c } flags=R", "lmtp -o l=0 -o { a = b c } flags=RX"),
      ("lmtp flags=D -v flags=O", "lmtp -v -o l=0 flags=RX"),
    ])
  func setting(command: String, result: String) throws {
    let line = try service(command).lmtpCommandLine(flags: "RX", options: [(name: "l", value: "0")])
    #expect(line == result)
    #expect(try service(line).lmtpCommandLine(flags: "RX", options: [(name: "l", value: "0")]) == result)
  }

  @Test("The entry of the manual has its options first")
  func entry() throws {
    let service = try #require(
      try MasterFile(parsing: Array("\(MasterEntry.lmtpLine(options: "-o soft_bounce=yes "))\n".utf8)).services.first)
    #expect(service.name == "ullage_lmtp" && service.command == "lmtp" && service.isChrooted == false)
    #expect(service.attributes == ["flags": "ORX"] && !service.hasLateOption)
    #expect(
      service.overrides
        == ["soft_bounce": "yes", "lmtp_line_length_limit": "0", "lmtp_send_xforward_command": "yes"])
  }
}

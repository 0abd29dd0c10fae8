// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Maildir
import Posix
import Quota
import Tables
import TestSupport
import Testing
import Text

@testable import Sweep

/// Which mailboxes a run is about, before any worker starts.
struct SelectionTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeDirectory("base/d/u/cur")
    try sandbox.makeDirectory("base/d/u/.Folder/cur")
    try sandbox.write("base/d/u/.Folder/maildirfolder", "")
  }

  private func sweep(_ selection: MailboxSelection, _ lines: String = "virtual_mailbox_maps = inline:{ u@d=d/u/ }")
    throws
    -> Sweep
  {
    let settings = try Settings(
      ConfigurationFile(parsing: Array("virtual_mailbox_base = \(sandbox("base"))\n\(lines)\n".utf8)))
    return try Sweep(settings, selection, Sweep.Workload(batchSize: 1))
  }

  @Test("Addresses are looked up; those without a mailbox are named")
  func addresses() throws {
    let sweep = try sweep(.addresses(["u@d", "x@d", "U@D", "y@d"]))
    #expect(try sweep.count() == 2)
    #expect(sweep.unknownAddresses == ["x@d", "y@d"] && sweep.serviceFailure == nil)
    #expect(try sweep.repeatedAddresses().isEmpty)
  }

  @Test("An address whose path cannot be used is one failed mailbox; a table that fails ends the run")
  func lookupErrors() throws {
    #expect(try sweep(.addresses(["u@d"]), "virtual_mailbox_maps = static:mbox").count() == 1)
    let error = #expect(throws: SweepError.self) {
      try sweep(.addresses(["u@d"]), "virtual_mailbox_maps = texthash:/nonexistent")
    }
    #expect(error?.shown.hasPrefix("u@d: ") == true && error?.shown.contains("/nonexistent") == true)
  }

  @Test("Maildirs are given by directory, whatever the tables say; one that is not there is reported later")
  func maildirs() throws {
    let names = [sandbox("base/d/u"), sandbox("base/d/u/"), sandbox("none/x")]
    #expect(try sweep(.maildirs(names, limit: nil)).count() == 3)
  }

  @Test("What is no Maildir by its name is a mistake in the command")
  func badDirectories() throws {
    let folder = sandbox("base/d/u/.Folder")
    let error = #expect(throws: SweepError.self) { try sweep(.maildirs([folder], limit: nil)) }
    #expect(error?.shown == "--maildir \(folder): that is a folder; give the Maildir above it")
    for name in ["/", "", "a\u{0}b"] {
      let error = #expect(throws: SweepError.self) { try sweep(.maildirs([name], limit: nil)) }
      #expect(error?.shown.hasSuffix(": that is not a Maildir") == true)
    }
  }

  @Test("Without a list there is nothing to go through")
  func noList() {
    let error = #expect(throws: TableError.self) { try sweep(.listed(domain: nil)) }
    #expect(error?.shown.hasPrefix("mailbox_list_database is not set") == true)
  }

  @Test("As many mailboxes at a time as there are processors, unless told otherwise")
  func workload() {
    #expect(Sweep.Workload(batchSize: 1).workers == CurrentProcess.processorCount)
    #expect(Sweep.Workload(workers: 7, batchSize: 1).workers == 7)
  }
}

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

/// Where each mailbox is, and as whom it is worked on.
struct JobMakerTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeDirectory("base/example.org/you/cur")
  }

  private func settings(_ lines: String = "") throws -> Settings {
    try Settings(
      ConfigurationFile(
        parsing: Array(
          """
          virtual_mailbox_base = \(sandbox("base"))
          virtual_mailbox_maps = static:x/
          virtual_mailbox_limit_maps = static:0
          message_size_limit = 0
          \(lines)

          """.utf8)))
  }

  private func job(_ path: String?, _ lines: String = "") throws -> MailboxJob {
    let settings = try settings(lines)
    var maker = try JobMaker(settings)
    let columns: [String?] = ["you@example.org", path, "1000"]
    return maker.job(MailboxRow(columns.map { $0.map { Array($0.utf8) } }, settings))
  }

  @Test("A row becomes a task for its Maildir, with its limit, to be done as its owner")
  func sound() throws {
    let job = try job("example.org/you/")
    #expect(job.settledReport == nil && job.task.limit == QuotaLimit(bytes: 1000) && job.task.work == [])
    #expect(job.task.maildir.text == sandbox("base/example.org/you") && job.row.isSound)
    let mailUser = Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group))
    #expect(job.owner == (geteuid() == 0 ? mailUser : nil))
  }

  @Test("The suffix is a part of the path")
  func suffix() throws {
    #expect(
      try job("example.org/you/", "virtual_maildir_suffix = Maildir/").task.directory
        == Array("example.org/you/Maildir/".utf8))
  }

  @Test(
    "A path that deliveries would refuse is a fault of the row, and the Maildir broken",
    arguments: [
      ("example.org/you", "it must end in / (mbox files are not supported)"), ("../you/", "it must not contain .."),
      ("/", "it must be below virtual_mailbox_base"), (nil, "it must end in / (mbox files are not supported)"),
    ] as [(String?, String)])
  func badPath(path: String?, reason: String) throws {
    let job = try job(path)
    #expect(job.row.faults.contains(.path(reason)))
    #expect(job.settledReport?.state == .broken("its path in the list: \(reason)"))
  }

  @Test(
    "As root, a missing Maildir needs no worker, one that root owns gets none, nor one below virtual_minimum_uid",
    .takesRoot)
  func root() throws {
    #expect(try job("example.org/none/").settledReport?.state == .absent)
    #expect(try job("example.net/you/").settledReport?.state == .absent)
    #expect(
      try job("example.org/you/", "virtual_minimum_uid = 70000").settledReport?.state == .foreign(UInt32(MailUser.id)))
    try Command.check(["chown", "root", sandbox("base/example.org/you")])
    #expect(try job("example.org/you/").settledReport?.state == .foreign(0))
  }

  @Test("No work is done with root's group", .takesRoot)
  func rootsGroup() throws {
    try Command.check(["chgrp", "root", sandbox("base/example.org/you")])
    #expect(try job("example.org/you/").owner == Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group)))
  }

  @Test("A file in the way is a broken mailbox, a foreign symlink, too", .takesRoot)
  func inTheWay() throws {
    try Command.check(["touch", sandbox("base/example.org/file")])
    #expect(try job("example.org/file/").settledReport?.state == .broken("not a directory: file"))
    try Command.check(["ln", "-s", "you", sandbox("base/example.org/link")])
    #expect(try job("example.org/link/").settledReport == nil)
    try Command.check(["chown", "-h", "\(MailUser.id)", sandbox("base/example.org/link")])
    #expect(
      try job("example.org/link/").settledReport?.state
        == .broken("symlink not owned by root in the path: \(sandbox("base/example.org/link"))"))
  }

  @Test("A base that is missing, or empty as an unmounted volume is, ends the run before its first mailbox")
  func base() throws {
    try Command.check(["rm", "-r", sandbox("base/example.org")])
    #expect(throws: MaildirError.baseEmpty) { try job("example.org/you/") }
    #expect(throws: Never.self) { try job("example.org/you/", "mailbox_base_may_be_empty = yes") }
    try Command.check(["rmdir", sandbox("base")])
    #expect(throws: MaildirError.baseMissing) { try job("example.org/you/") }
  }

  @Test("A lookup that failed is a report, so that the other mailboxes go on")
  func failed() throws {
    let settings = try settings()
    let row = MailboxRow(address: Array("you@example.org".utf8), path: [], quota: EffectiveLimit(.none, .given))
    let job = try JobMaker(settings).failed(row, "why")
    #expect(job.settledReport?.state == .failed("why") && job.row == row && job.task.components == [])
  }
}

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Quota
import Tables
import TestSupport
import Testing
import Text

@testable import Mailboxes

/// ullage.cf as a file.
struct SettingsFileTests {
  private func read(_ text: String) throws -> SettingsFile {
    let sandbox = try Sandbox()
    try sandbox.write("ullage.cf", text)
    return SettingsFile(sandbox("ullage.cf"))
  }

  @Test("The settings of a sound file, and where it logs")
  func sound() throws {
    let file = try read("virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\nlog_socket = /run/log\n")
    #expect(try file.settings.get().mailboxBase.text == "/m" && file.logSocket.text == "/run/log")
  }

  @Test("An error names the file and the line; the log socket of a broken file is used all the same")
  func broken() throws {
    let sandbox = try Sandbox()
    try sandbox.write("ullage.cf", "log_socket = /run/log\nvirtual_mailbox_base = /m\nvirtual_mailbox_limit = ten\n")
    let file = SettingsFile(sandbox("ullage.cf"))
    let error = #expect(throws: SettingsError.self) { try file.settings.get() }
    #expect(error?.shown.hasPrefix("\(sandbox("ullage.cf")), line 3: ") == true, "\(error?.shown ?? "")")
    #expect(file.logSocket.text == "/run/log")
  }

  @Test("A missing file is an error that says which option names another; its log goes where it goes by default")
  func missing() {
    let file = SettingsFile("/nonexistent/ullage.cf")
    let error = #expect(throws: SettingsError.self) { try file.settings.get() }
    #expect(error?.shown == "open /nonexistent/ullage.cf: No such file or directory; see --config")
    #expect(file.logSocket.text == "/dev/log")
  }

  @Test("A file that is closed to us is an error that says who must be able to read it")
  func unreadable() throws {
    let sandbox = try Sandbox()
    try sandbox.write("ullage.cf", "", mode: 0)
    let mailUser = Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group))
    let file = mailUser.acting { SettingsFile(sandbox("ullage.cf")) }
    let error = #expect(throws: SettingsError.self) { try file.settings.get() }
    #expect(error?.shown.hasSuffix("Permission denied; let uid \(MailUser.id) read it") == true)
  }

  @Test("A name with NUL is no file")
  func nul() {
    let error = #expect(throws: SettingsError.self) { try SettingsFile("a\u{0}b").settings.get() }
    #expect(error?.shown == "a\\000b: the name contains NUL")
  }
}

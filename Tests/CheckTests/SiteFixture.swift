// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import TestSupport

/// A site of files in a sandbox: ullage.cf, main.cf and master.cf, and no server.
struct SiteFixture {
  let sandbox: Sandbox
  let site: Site
  let postfix: PostfixDirectory

  static let master = """
    virtual unix - n n - - virtual
    ullage unix - n n - 20 pipe flags=ORX user=nobody null_sender=
      argv=/usr/libexec/ullage-deliver --sender=${sender} --recipient=${recipient}
      --delivered-to=${recipient} --extension=${extension}
      --original-recipient=${original_recipient} --queue-id=${queue_id} --size=${size}

    """

  static let main = """
    compatibility_level = 3.6
    virtual_transport = ullage
    virtual_mailbox_base = /m
    ullage_destination_recipient_limit = 1
    message_size_limit = 10240000

    """

  /// - Parameters:
  ///   - settings: lines of ullage.cf after the base and `message_size_limit`, which main.cf has, too.
  ///   - main: lines of main.cf that follow the usual ones.
  init(
    _ settings: String = "virtual_mailbox_maps = static:x/", main: String = "", master: String = master,
    sandbox: Sandbox, user: User? = nil
  ) throws {
    self.sandbox = sandbox
    let files = try PostfixFiles(sandbox, main: Self.main + main, master: master)
    postfix = try PostfixDirectory(files.path)
    let text = "virtual_mailbox_base = /m\nmessage_size_limit = 10240000\n\(settings)\n"
    site = Site(
      configurationFile: Ullage.configurationFile,
      settings: try Settings(ConfigurationFile(parsing: Array(text.utf8))), user: user, postfix: .success(postfix))
  }
}

extension Finding {
  var isTrouble: Bool { severity == .error || severity == .warning }
}

extension [Finding] {
  /// `severity kind evidence` of each, without what is as it should be.
  var lines: [String] {
    filter { $0.severity != .good }.map { "\($0.severity.rawValue) \($0.kind?.rawValue ?? "-") \($0.evidence)" }
  }

  /// The evidence of what is as it should be.
  var good: [String] { filter { $0.severity == .good }.map(\.evidence) }
}

// SPDX-License-Identifier: Apache-2.0
import Findings
import Testing

@testable import Migration
@testable import Presentation

/// What `ullage migrate` prints.
struct MigrationTextTests {
  private static var plan: MigrationPlan {
    var plan = MigrationPlan()
    plan.configuration = Array("virtual_mailbox_base = /m\n\nvirtual_trash_count = no\n".utf8)
    plan.parameterCount = 2
    plan.findings = [
      Finding(.notice, .different, in: .configuration, .init("virtual_mailbox_limit_maps"), "mail is deferred"),
      Finding(
        .error, .obstacle, in: .configuration, .init("hash:/etc/t"), "there is no /etc/t.db; create it:",
        remedy: .run(Command("postmap", "hash:/etc/t"))),
    ]
    plan.steps = [
      MigrationPlan.Step("Add the transport.", ["postconf -M a/unix='a unix'", "postfix reload"]),
      MigrationPlan.Step("Switch the domains.", [], statements: ["UPDATE t SET x = 1;"]),
    ]
    plan.wayBack = MigrationPlan.Step("The way back.", ["postconf -e virtual_transport=virtual"])
    return plan
  }

  private func text(isDryRun: Bool) throws -> String {
    let page = Page()
    try MigrationText(
      Self.plan, from: "/etc/postfix", to: "/etc/ullage/ullage.cf", isDryRun: isDryRun, output: page.output,
      style: Samples.plain
    ).write()
    return page.text
  }

  private static let advice = """

    Solve this first
      hash:/etc/t
          there is no /etc/t.db; create it:
            postmap hash:/etc/t

    What to know
      virtual_mailbox_limit_maps
          mail is deferred

    What to do
      1. Add the transport.
           postconf -M a/unix='a unix'
           postfix reload
      2. Switch the domains.
           SQL: UPDATE t SET x = 1;

      The way back.
           postconf -e virtual_transport=virtual

    ullage.cf(5), "Differences from VDA", lists what is always different.

    """

  @Test("What was written, what to know and what to do, with each command on a line of its own")
  func written() throws {
    #expect(
      try text(isDryRun: false)
        == "/etc/ullage/ullage.cf was written from 2 parameters of /etc/postfix.\n" + Self.advice)
  }

  @Test("A dry run shows the file instead")
  func dryRun() throws {
    #expect(
      try text(isDryRun: true) == """
        /etc/ullage/ullage.cf, from 2 parameters of /etc/postfix:

            virtual_mailbox_base = /m

            virtual_trash_count = no

        """ + Self.advice)
  }
}

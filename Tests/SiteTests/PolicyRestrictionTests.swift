// SPDX-License-Identifier: Apache-2.0
import Site
import Testing

/// Where the policy service is asked.
struct PolicyRestrictionTests {
  private static let guards = "reject_unauth_destination, reject_unlisted_recipient"
  private static let ours = "check_policy_service { unix:private/ullage-policy, timeout=10s, default_action=DUNNO }"

  @Test(
    "It is asked after strangers' mail for other sites and mail for unknown recipients has been refused",
    arguments: [
      ("", "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_unlisted_recipient, *"),
      ("permit_mynetworks, reject_unauth_destination", "permit_mynetworks, \(guards), *"),
      (
        "reject_unauth_destination reject_rbl_client z.y check_client_access hash:/x",
        "\(guards), *, reject_rbl_client z.y, check_client_access hash:/x"
      ),
      (
        "reject_unauth_destination, warn_if_reject reject_rbl_client x.y, reject_unlisted_recipient, permit",
        "reject_unauth_destination, warn_if_reject reject_rbl_client x.y, reject_unlisted_recipient, *, permit"
      ),
      (
        "permit_mynetworks, check_policy_service { inet:[::1]:1, timeout=1s }",
        "permit_mynetworks, \(guards), *, check_policy_service { inet:[::1]:1, timeout=1s }"
      ),
      (
        "permit_sasl_authenticated,defer_unauth_destination",
        "permit_sasl_authenticated, defer_unauth_destination, reject_unlisted_recipient, *"
      ),
    ])
  func place(list: String, result: String) {
    #expect(PolicyRestriction.inserted(into: list, isDryRun: false) == result.replacing("*", with: Self.ours))
    #expect(
      PolicyRestriction.inserted(into: list, isDryRun: true)
        == result.replacing("*", with: "warn_if_reject " + Self.ours))
  }

  @Test("Taken out of the wrong place and put into the right one, a trial stays a trial, and the endpoint its own")
  func moved() {
    let items = PolicyRestriction.items("warn_if_reject check_policy_service unix:x, permit")
    #expect(
      PolicyRestriction.moved(in: items, from: 2)
        == "\(Self.guards), warn_if_reject check_policy_service { unix:x, timeout=10s, default_action=DUNNO }, permit")
  }

  @Test("A service is an endpoint, alone or with options in braces")
  func service() {
    let (endpoint, options) = PolicyRestriction.service("{ unix:private/x, timeout = 1s, default_action=DUNNO }")
    #expect(endpoint == "unix:private/x" && options["default_action"] == "DUNNO")
    #expect(PolicyRestriction.service("inet:localhost:1").endpoint == "inet:localhost:1")
  }
}

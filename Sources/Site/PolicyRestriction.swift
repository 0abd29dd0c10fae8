// SPDX-License-Identifier: Apache-2.0
import Text

/// The restriction by which smtpd(8) asks the policy service, and its place among the others
/// (SMTPD_ACCESS_README).
package enum PolicyRestriction {
  /// Relative to `queue_directory`, so that a chrooted smtpd(8) reaches it. The package's socket is there.
  package static let endpoint = "unix:private/ullage-policy"

  package static let name = "check_policy_service"

  /// Without `default_action` a service that is down defers all mail; without `timeout` one that hangs takes 100 s.
  package static func service(at endpoint: String) -> String {
    "{ \(endpoint), timeout=10s, default_action=DUNNO }"
  }

  /// The items of a list of restrictions. What is in braces is one item.
  package static func items(_ list: String) -> [String] { splitList(Array(list.utf8)).map { $0.text } }

  /// The endpoint and the options of a policy service: `{ unix:x, timeout=10s }`, or an endpoint alone.
  package static func service(_ item: String) -> (endpoint: String, options: [String: String]) {
    var parts = unbraced(Array(item.utf8)).map { splitList($0).map { $0.text } } ?? [item]
    let endpoint = parts.isEmpty ? "" : parts.removeFirst()
    var options: [String: String] = [:]
    for part in parts {
      if let (name, value) = splitAssignment(Array(part.utf8)) { options[name.text] = value.text }
    }
    return (endpoint, options)
  }

  /// The list with the restriction in its place: behind what refuses strangers' mail for other sites and mail for
  /// unknown recipients, which are missing in an empty list.
  ///
  /// - Parameters:
  ///   - endpoint: where the service listens.
  ///   - isDryRun: smtpd(8) only logs what would be refused.
  package static func inserted(into list: String, endpoint: String = endpoint, isDryRun: Bool) -> String {
    text(inserted(into: items(list), endpoint: endpoint, isDryRun: isDryRun))
  }

  private static func inserted(into list: [String], endpoint: String, isDryRun: Bool) -> [String] {
    var items = list
    let permits = ["permit_mynetworks", "permit_sasl_authenticated"]
    if items.isEmpty { items = permits }
    let guards = ["reject_unauth_destination", "defer_unauth_destination"]
    if !items.contains(where: { guards.contains($0) }) {
      items.insert(guards[0], at: items.firstIndex { !permits.contains($0) } ?? items.endIndex)
    }
    var place = (items.lastIndex { guards.contains($0) } ?? -1) + 1
    if let unlisted = items.firstIndex(of: "reject_unlisted_recipient") {
      place = max(place, unlisted + 1)
    } else {
      items.insert("reject_unlisted_recipient", at: place)
      place += 1
    }
    items.insert(contentsOf: (isDryRun ? [warning] : []) + [name, service(at: endpoint)], at: place)
    return items
  }

  private static let warning = "warn_if_reject"

  /// The list with the restriction at `index`, its argument, taken out and put into its place; a trial stays one.
  package static func moved(in items: [String], from index: Int) -> String {
    var rest = items
    let isDryRun = index > 1 && items[index - 2] == warning
    rest.removeSubrange((isDryRun ? index - 2 : index - 1)...index)
    return text(inserted(into: rest, endpoint: service(items[index]).endpoint, isDryRun: isDryRun))
  }

  /// The items with commas between restrictions, and blanks before their arguments.
  private static func text(_ items: [String]) -> String {
    var text = ""
    for (index, item) in items.enumerated() {
      // Names of restrictions have none of these characters.
      let isArgument = item.utf8.contains { "{:/.".utf8.contains($0) }
      let isModified = index > 0 && items[index - 1] == warning
      text += (index == 0 ? "" : isArgument || isModified ? " " : ", ") + item
    }
    return text
  }
}

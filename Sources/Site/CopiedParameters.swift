// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Text

/// What ullage.cf has to say so that the policy service expands aliases as Postfix does (`AliasSettings.copied`).
package struct CopiedParameters {
  private let postfix: PostfixDirectory
  private let survey: Survey

  package init(of postfix: PostfixDirectory, _ survey: Survey) {
    self.postfix = postfix
    self.survey = survey
  }

  /// The value for `parameter`, every `$name` replaced; nil if any value will do, or if it is not known.
  package func value(of parameter: Parameter) throws(ConfigurationError) -> String? {
    guard let text = try effective(parameter.rawValue) else { return nil }
    switch parameter {
    // The service takes no name of a file.
    case .myorigin where text.hasPrefix("/"): return domain(inFile: text)
    // It has an effect only with append_dot_mydomain.
    case .mydomain where try effective(Parameter.append_dot_mydomain.rawValue) != "yes": return nil
    case .canonical_maps: return try applies(to: "canonical_classes") ? text : ""
    case .recipient_canonical_maps: return try applies(to: "recipient_canonical_classes") ? text : ""
    default: return text
    }
  }

  /// Whether ullage.cf may leave out `parameter` where `value(of:)` is `value`.
  package func isDefault(_ value: String, of parameter: Parameter) throws(ConfigurationError) -> Bool {
    guard value != parameter.definition.defaultText else { return true }
    guard parameter == .virtual_mailbox_domains else { return false }
    return try value == effective(Parameter.virtual_mailbox_maps.rawValue)
  }

  private func effective(_ name: String) throws(ConfigurationError) -> String? {
    if let value = survey.defaultValue(name) { return value.text }
    return try postfix.value(of: name)
  }

  /// Whether the addresses that tables rewrite include recipients, as they do by default (postconf(5)).
  private func applies(to classes: String) throws(ConfigurationError) -> Bool {
    guard let classes = try effective(classes) else { return true }
    return splitList(Array(classes.utf8)).contains { $0.elementsEqual("envelope_recipient".utf8) }
  }

  /// `/etc/mailname`, for instance: its first word.
  private func domain(inFile name: String) -> String? {
    guard let path = Path(name.utf8) else { return nil }
    do {
      let text = try File.contents(of: path, limit: 4096, until: Deadline(secondsFromNow: 10))
      return text.split(whereSeparator: { $0.isWhiteSpace }).first?.text
    } catch { return nil }
  }
}

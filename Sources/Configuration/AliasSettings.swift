// SPDX-License-Identifier: Apache-2.0
import Text

/// How Postfix rewrites and expands a recipient before it delivers: parameters with Postfix's names, copied from
/// main.cf.
package struct AliasSettings: Sendable {
  package let virtualAliasMaps: [TableReference]
  package let recipientCanonicalMaps: [TableReference]
  package let canonicalMaps: [TableReference]
  package let expansionLimit: Int
  package let recursionLimit: Int
  /// Bytes.
  package let addressLengthLimit: Int
  /// Whether the extension that a table does not have is put back (`propagate_unmatched_extensions`).
  package let propagatesCanonical: Bool
  package let propagatesVirtual: Bool
  /// `recipient_delimiter`, a set of characters.
  package let delimiters: [UInt8]
  package let ownerRequestIsSpecial: Bool
  /// `myorigin`; empty if it is unknown.
  package let origin: [UInt8]
  /// `mydomain`; empty if it is unknown.
  package let domain: [UInt8]
  package let completesHostNames: Bool
  package let takesPercentForAt: Bool
  package let swapsBangPath: Bool
  /// `mydestination`, a list of domains (postconf(5)).
  package let destinations: [UInt8]
  /// `virtual_mailbox_domains`, a list of domains; by default the keys of `virtual_mailbox_maps`, as in Postfix.
  package let mailboxDomains: [UInt8]

  /// - Throws: `ConfigurationError` for the first value of the wrong type or out of bounds.
  package init(_ file: ConfigurationFile) throws(ConfigurationError) {
    virtualAliasMaps = try file.tables(.virtual_alias_maps)
    recipientCanonicalMaps = try file.tables(.recipient_canonical_maps)
    canonicalMaps = try file.tables(.canonical_maps)
    expansionLimit = Int(try file.integer(.virtual_alias_expansion_limit))
    recursionLimit = Int(try file.integer(.virtual_alias_recursion_limit))
    addressLengthLimit = Int(try file.integer(.virtual_alias_address_length_limit))
    let classes = splitList(try file.value(of: .propagate_unmatched_extensions)).map { $0.text.lowercased() }
    propagatesCanonical = classes.contains("canonical")
    propagatesVirtual = classes.contains("virtual")
    delimiters = try file.value(of: .recipient_delimiter)
    ownerRequestIsSpecial = try file.yesNo(.owner_request_special)
    origin = try file.domain(.myorigin)
    domain = try file.domain(.mydomain)
    completesHostNames = try file.yesNo(.append_dot_mydomain)
    takesPercentForAt = try file.yesNo(.allow_percent_hack)
    swapsBangPath = try file.yesNo(.swap_bangpath)
    destinations = try file.value(of: .mydestination)
    let domains = try file.value(of: .virtual_mailbox_domains)
    mailboxDomains = domains.isEmpty ? try file.value(of: .virtual_mailbox_maps) : domains
  }

  /// Postfix's parameters that decide what becomes of a recipient. They stay in main.cf.
  package static let copied: [Parameter] = [
    .virtual_alias_maps, .virtual_alias_expansion_limit, .virtual_alias_recursion_limit,
    .virtual_alias_address_length_limit, .recipient_canonical_maps, .canonical_maps, .propagate_unmatched_extensions,
    .owner_request_special, .myorigin, .append_dot_mydomain, .mydomain, .allow_percent_hack, .swap_bangpath,
    .mydestination, .virtual_mailbox_domains,
  ]

  /// Those that must be set. Without them it would seem that there are no aliases, and mail that goes elsewhere would
  /// be refused.
  package static let required: [Parameter] = [.virtual_alias_maps, .mydestination, .myorigin]

  /// The tables of `parameter`, in the order in which they are queried.
  package func tables(_ parameter: Parameter) -> [TableReference] {
    switch parameter {
    case .virtual_alias_maps: virtualAliasMaps
    case .recipient_canonical_maps: recipientCanonicalMaps
    case .canonical_maps: canonicalMaps
    default: []
    }
  }

  /// The list of `parameter`, which takes domains.
  package func domains(_ parameter: Parameter) -> [UInt8] {
    switch parameter {
    case .mydestination: destinations
    case .virtual_mailbox_domains: mailboxDomains
    default: []
    }
  }
}

extension ConfigurationFile {
  /// A domain name. Postfix also takes the name of a file that contains it, which we may not be able to read.
  fileprivate func domain(_ parameter: Parameter) throws(ConfigurationError) -> [UInt8] {
    let value = try value(of: parameter)
    guard value.allSatisfy({ $0.isNameCharacter || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 >= 0x80 })
    else { throw bad(parameter, value, "be a domain name (of a file, the name that is in it)") }
    return value
  }
}

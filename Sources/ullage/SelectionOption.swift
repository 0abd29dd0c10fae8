// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Sweep

/// The mailboxes that a command works on.
struct SelectionOption: ParsableArguments {
  @Argument(help: "Mailboxes by their addresses.")
  var addresses: [String] = []

  @Option(help: ArgumentHelp("All mailboxes of a domain, by mailbox_list_query.", valueName: "domain"))
  var domain: String?

  @Flag(help: "All mailboxes, by mailbox_list_query.")
  var all = false

  var isEmpty: Bool { addresses.isEmpty && domain == nil && !all }

  func validate() throws {
    let kinds = [!addresses.isEmpty, domain != nil, all].filter { $0 }
    guard kinds.count <= 1 else { throw ValidationError("give either addresses, --domain or --all") }
  }

  var selection: MailboxSelection { addresses.isEmpty ? .listed(domain: domain) : .addresses(addresses) }
}

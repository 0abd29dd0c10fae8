// SPDX-License-Identifier: Apache-2.0
import Aliases
import Mailboxes

/// Where the mail of a recipient goes, by the tables alone: an expansion, and what each of its addresses is.
struct Route: Sendable {
  let expansion: AliasExpansion
  let stops: [Stop]

  /// One of the addresses.
  struct Stop: Sendable {
    let address: [UInt8]
    let place: Place
  }

  enum Place: Sendable {
    case mailbox(Mailbox)
    /// The tables settle it.
    case settled(Judgement.State)
  }

  /// For remembering.
  var withoutSteps: Route {
    Route(expansion: AliasExpansion(steps: [], result: expansion.result), stops: stops)
  }

  /// Whether it is as the tables say: then it can be remembered.
  var isKnown: Bool {
    if case .failure = expansion.result { return false }
    return !stops.contains { if case .settled(.trouble) = $0.place { true } else { false } }
  }
}

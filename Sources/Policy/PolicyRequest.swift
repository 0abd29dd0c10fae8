// SPDX-License-Identifier: Apache-2.0
import Text

/// One request of smtpd(8) to a policy service: lines `name=value` (SMTPD_POLICY_README). A client may have chosen any
/// of the values. Unknown names are ignored, missing ones are empty.
package struct PolicyRequest: Equatable, Sendable {
  /// When smtpd(8) asks.
  package enum State: String, Sendable {
    case recipient = "RCPT"
    case data = "DATA"
    case endOfMessage = "END-OF-MESSAGE"
  }

  private let attributes: [String: [UInt8]]

  /// Lines that are no assignment are ignored. Of two with one name the last applies.
  package init(_ lines: [[UInt8]]) {
    var attributes: [String: [UInt8]] = [:]
    for line in lines {
      guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
      attributes[line[..<equals].text] = Array(line[(equals + 1)...])
    }
    self.attributes = attributes
  }

  private func value(_ name: String) -> [UInt8] { attributes[name] ?? [] }

  /// Whether it is a request of the policy protocol at all.
  package var isPolicyRequest: Bool { value("request").elementsEqual("smtpd_access_policy".utf8) }

  /// Nil for all states in which there is nothing to decide.
  package var state: State? { State(rawValue: value("protocol_state").text) }

  /// As the client typed it, without quotes. Empty where there are several.
  package var recipient: [UInt8] { value("recipient") }
  package var recipientCount: Int { Int(value("recipient_count").text) ?? 0 }
  /// Empty for the null sender.
  package var sender: [UInt8] { value("sender") }
  package var clientAddress: [UInt8] { value("client_address") }
  package var clientName: [UInt8] { value("client_name") }
  /// Equal for all requests about one message.
  package var instance: [UInt8] { value("instance") }

  /// Bytes, with CR LF at line ends: what the client announces or, at the end of the message, what has arrived. Zero if
  /// it is unknown.
  package var size: Int64 {
    let text = value("size")
    guard text.allSatisfy({ $0.isDigit }) else { return 0 }
    return Int64(text.text) ?? (text.isEmpty ? 0 : .max)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Text

/// A reply to one command, or to one recipient of a message (RFC 5321 §4.2, RFC 2034).
package struct LMTPReply: Equatable, Sendable {
  /// 250, 452 and so on.
  package let code: Int
  /// The enhanced status code, such as 4.2.2. Postfix takes it if its first digit is that of the code.
  package let status: String
  package let text: [UInt8]

  package init(_ code: Int, _ status: String, _ text: [UInt8]) {
    self.code = code
    self.status = status
    self.text = text
  }

  init(_ code: Int, _ status: String, _ text: String) {
    self.init(code, status, Array(text.utf8))
  }

  /// The line to send. Postfix cuts lines at 2048 bytes.
  package var bytes: [UInt8] { Array("\(code) \(status) ".utf8) + singleLine(text) + Array("\r\n".utf8) }
}

extension LMTPReply {
  static let ok = LMTPReply(250, "2.0.0", "Ok")
  static let bye = LMTPReply(221, "2.0.0", "Bye")
  static let senderOk = LMTPReply(250, "2.1.0", "Ok")
  static let recipientOk = LMTPReply(250, "2.1.5", "Ok")
  static let notVerified = LMTPReply(252, "2.5.0", "Send a message and see")
  static let unknownCommand = LMTPReply(500, "5.5.1", "This command is not known here")
  static let noRecipients = LMTPReply(503, "5.5.1", "No recipient has been accepted")
  static let tooManyErrors = LMTPReply(421, "4.7.0", "Too many errors")
  // A 5xx to LHLO, MAIL, RCPT or DATA would refuse mail, and what these lines say is no reason for that.
  static let badLine = LMTPReply(451, "4.5.2", "The line is not valid: it is too long, or contains CR, LF or NUL")
  static let badSyntax = LMTPReply(451, "4.5.2", "The command's syntax is not valid")
  static let noSender = LMTPReply(451, "4.5.1", "MAIL comes first")
  static let nestedMail = LMTPReply(451, "4.5.1", "A message has been begun already; RSET discards it")
  static let tooManyRecipients = LMTPReply(451, "4.5.3", "Too many recipients")

  /// It has no enhanced status code (RFC 2034 §4).
  static let goAhead = Array("354 End the message with a line that has only a dot\r\n".utf8)
}

// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Text

@testable import Delivery

/// The start of a message in, the same with the header out.
struct DeliveredToHeaderTests {
  private static func header(_ recipient: String) -> DeliveredToHeader { DeliveredToHeader(Array(recipient.utf8)) }

  private static func inserted(_ start: String, isWhole: Bool = false, _ recipient: String = "You@d") -> String? {
    header(recipient).inserted(into: Array(start.utf8), isWhole: isWhole)?.text
  }

  @Test(
    "The address is quoted, keeps its case, and brings no control character",
    arguments: [
      ("You+X@Example.org", "You+X@Example.org"), ("a b@d", "\"a b\"@d"), ("a@b@d", "\"a@b\"@d"), ("@d", "\"\"@d"),
      ("x\nBcc: y@d", "\"x?Bcc: y\"@d"), ("a\u{7F}\r@d", "\"a?\\?\"@d"), ("a@d\n", "a@d?"), ("nodomain", "nodomain"),
    ])
  func address(recipient: String, shown: String) {
    #expect(Self.header(recipient).line.text == "Delivered-To: \(shown)\n")
  }

  @Test(
    "It comes third, after Return-Path and X-Original-To, as virtual(8) writes it",
    arguments: [
      ("Return-Path: <a@b>\nX-Original-To: Info@d\n", "Received: x\n"), ("Return-Path: <>\n", "Received: by\n\nbody\n"),
      ("", "Received: from a\n"), ("", "\nbody without headers\n"), ("X-Original-To: a\n", "Return-Path: <x>\n\n"),
      ("Return-Path: <a>\nX-Original-To: b\n", "X-Original-To: of the message itself\n"),
      ("Return-Path: <a>\n folded\n\tmore\nX-Original-To: b\n", "Subject: x\n"),
      ("From me@d  Mon Jan  1 00:00:00 2024\nReturn-Path: <me@d>\n", "Subject: x\n"),
      ("Return-Path: <a>\nX-Original-To: b\n", "Delivered-To: someone.else@example.org\n"),
    ])
  func place(above: String, below: String) {
    #expect(Self.inserted(above + below) == above + "Delivered-To: You@d\n" + below)
  }

  @Test(
    "Where pipe(8) has written it, there is no second one",
    arguments: ["Delivered-To: you@D\nReceived: x\n", "Delivered-To: You@d\n\n"])
  func once(below: String) {
    let text = "Return-Path: <a>\nX-Original-To: b\n" + below
    #expect(Self.inserted(text) == text)
    #expect(Self.inserted("Delivered-To: a?b@d\nx", "a\tb@d") == "Delivered-To: \"a?b\"@d\nDelivered-To: a?b@d\nx")
    #expect(Self.inserted("Delivered-To: \"a\tb\"@d\nx", "a\tb@d") == "Delivered-To: \"a\tb\"@d\nx")
  }

  @Test("A first line without an end, as no pipe(8) writes it, is not cut")
  func endless() {
    let text = "Return-Path: <\(String(repeating: "x", count: 100))"
    #expect(Self.inserted(text) == nil)
    #expect(Self.inserted(text, isWhole: true) == "Delivered-To: You@d\n" + text)
  }

  @Test("In whatever pieces a message comes, the result is the same, and no byte of it is lost")
  func pieces() {
    let header = Self.header("You@d")
    let pieces = [
      "Return-Path: <a>\n", "X-Original-To: b\n", "Delivered-To: You@d\n", "Delivered-To: you@dx\n", "Ret", "From x\n",
      "Received: y\n", "\n", "x",
    ]
    for text in Noise(pieces, length: 4, count: 1000) {
      guard let whole = header.inserted(into: text, isWhole: true) else {
        Issue.record("nothing for \(text.text)")
        continue
      }
      for end in 0...text.count {
        guard let early = header.inserted(into: Array(text[..<end]), isWhole: false) else { continue }
        #expect(early + text[end...] == whole, "\(text.text) at \(end)")
      }
      let added = whole.count - text.count
      #expect(added == 0 || added == header.line.count)
    }
  }
}

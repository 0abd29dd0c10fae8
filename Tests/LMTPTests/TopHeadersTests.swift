// SPDX-License-Identifier: Apache-2.0
import Testing
import Text

@testable import LMTP

/// What the log needs of a message's first headers.
struct TopHeadersTests {
  @Test(
    "The queue ID and the original recipient are found where Postfix writes them",
    arguments: [
      (
        "Received: from a (b [192.0.2.1])\n\tby mx (Postfix) with ESMTPS id 4bTzQx3sZ7z1\n\tfor <y@d>; Sun, 1 Jan\n",
        "", "4bTzQx3sZ7z1"
      ),
      ("Received: by mx (Postfix, from userid 1000)\n\tid 8C2DF22; Sun\n", "", "8C2DF22"),
      ("Return-Path: <a@d>\nX-Original-To: list@d\nDelivered-To: you@d\nReceived: by mx id AB12;\n", "list@d", "AB12"),
      (
        "Received: from x id FAKE (y)\n\t(using TLSv1.3 (id C) id D)\n\tby mx (Postfix) with ESMTP id AB12; id E", "",
        "AB12"
      ),
      ("Subject: x\nReceived: by mx id AB12;\n", "", ""), ("", "", ""), ("Received: id", "", ""),
      ("Received: by mx id a/b;\n", "", ""), ("no header at all\n\nReceived: by mx id AB12;\n", "", ""),
      ("X-Original-To: a@d", "a@d", ""), ("X-Original-To: \"a b\"@d\n", "a b@d", ""),
      ("X-Original-To: \"\"@d\n", "@d", ""), ("X-Original-To: \"a b@d\n", "\"a b@d", ""),
    ])
  func found(start: String, original: String, id: String) {
    let headers = TopHeaders(Array(start.utf8)[...])
    #expect(headers.originalRecipient.text == original && headers.queueID.text == id)
  }
}

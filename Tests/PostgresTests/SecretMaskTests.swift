// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

struct SecretMaskTests {
  @Test(
    "Whatever may be a password is masked in a text",
    arguments: [
      ("password", "s3cret", "failed for s3cret", "failed for ***"),
      ("dbname", "postgresql://u:s3cret@h/d", "bad \"s3cret\"", "bad \"***\""),
      ("dbname", "postgresql://u:s3cret@word@h/d", "no host word@h, s3cret", "no host ***@h, ***"),
      ("dbname", "host=x password = 's3cret' oops", "near s3cret'", "near ***'"),
      ("dbname", "postgresql://h/d?password=s3cret&x=y", "s3cret", "***"), ("dbname", "plain", "plain", "plain"),
      ("password", "", "text", "text"), ("dbname", "postgresql://u:pas@passes@h/d", "at passes@h", "at ***@h"),
      ("user", "u", "user u", "user u"),
    ])
  func masked(keyword: String, value: String, text: String, result: String) {
    let mask = SecretMask([(keyword, Array(value.utf8))])
    #expect(String(decoding: mask.apply(to: Array(text.utf8)), as: UTF8.self) == result)
  }
}

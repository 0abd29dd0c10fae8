// SPDX-License-Identifier: Apache-2.0
import Testing
import Text

struct ModifiedUTF7Tests {
  @Test(
    "Names of folders and of their directories (RFC 3501 §5.1.3)",
    arguments: [
      ("Trash", "Trash"), ("Gelöscht", "Gel&APY-scht"), ("台北", "&U,BTFw-"), ("R&D", "R&-D"),
      ("Entwürfe", "Entw&APw-rfe"),
      ("&", "&-"), ("😀x", "&2D3eAA-x"), ("", ""), ("öä", "&APYA5A-"),
    ])
  func names(name: String, directory: String) {
    #expect(ModifiedUTF7.encode(name) == directory)
    #expect(ModifiedUTF7.decode(directory) == name)
  }

  @Test("What is no modified UTF-7 is none", arguments: ["Gelöscht", "a&b", "&a b-", "&2D0-"])
  func invalid(name: String) {
    #expect(ModifiedUTF7.decode(name) == nil)
  }
}

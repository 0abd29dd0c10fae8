// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// The user and group databases, as far as every machine has the same.
struct UserTests {
  @Test("Root is found by name and by id; what is unknown is nil")
  func users() throws {
    let root = try #require(User(named: "root"))
    #expect(root.id == 0 && root.group == 0 && User(id: 0) == root)
    #expect(User(named: "no such user") == nil && User(named: "") == nil && User(id: 4_000_000) == nil)
    #expect(User.name(of: 0) == "root" && User.name(of: 4_000_000) == "uid 4000000")
  }

  @Test(
    "user= of pipe(8) is a user, or a user and a group",
    arguments: [
      ("nobody", true), ("nobody:daemon", true), ("nobody:no such group", false), ("no such user", false),
      ("no such user:daemon", false), ("", false), (":daemon", false), ("nobody:", true), (":", false),
    ])
  func entry(text: String, isKnown: Bool) throws {
    let user = User(ofEntry: text)
    #expect((user != nil) == isKnown)
    if text.hasSuffix(":daemon"), let user {
      #expect(user.group == Group.id(of: "daemon") && user.id == User(named: "nobody")?.id)
    }
  }

  @Test("Groups are found by name and by id; root's group is never used")
  func groups() throws {
    let daemon = try #require(Group.id(of: "daemon"))
    #expect(Group.name(of: daemon) == "daemon" && Group.name(of: 0) == "root")
    #expect(Group.id(of: "no such group") == nil && Group.name(of: 4_000_000) == nil)
    #expect(Group.primary(of: 0) == 65534 && Group.primary(of: 4_000_000) == 65534)
    #expect(try Group.primary(of: #require(User(named: "daemon")).id) == daemon)
  }
}

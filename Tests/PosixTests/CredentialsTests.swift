// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import TestSupport
import Testing

/// Looking at files with another user's rights.
struct CredentialsTests {
  @Test("While one thread acts as another user, the others keep their rights")
  func threads() throws {
    let nobody = try #require(User(named: "nobody")).credentials
    let own = Credentials.current
    let (acting, looked, ended) = (
      DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)
    )
    Thread.detachNewThread {
      nobody.acting {
        acting.signal()
        looked.wait()
      }
      ended.signal()
    }
    acting.wait()
    #expect(Credentials.current == own)
    looked.signal()
    ended.wait()
  }

  @Test("Root acts as a user and is root again afterwards; others just run the body")
  func acting() throws {
    let nobody = try #require(User(named: "nobody")).credentials
    let own = Credentials.current
    let seen = nobody.acting { Credentials.current }
    #expect(seen == (own.user == 0 ? nobody : own))
    #expect(Credentials.current == own)
  }

  @Test("What only root may read is closed to whoever acts as another user")
  func rights() throws {
    let nobody = try #require(User(named: "nobody")).credentials
    #expect(isAllowed(.reading, to: "/etc/shadow") == (Credentials.current.user == 0))
    #expect(!nobody.acting { isAllowed(.reading, to: "/etc/shadow") })
  }

  @Test("Further groups give their rights while they are acted with, and no longer", .takesRoot)
  func furtherGroups() throws {
    let nobody = try #require(User(named: "nobody")).credentials
    let shadow = try #require(Group.id(of: "shadow"))
    #expect(nobody.acting(others: [shadow]) { isAllowed(.reading, to: "/etc/shadow") })
    #expect(!nobody.acting { isAllowed(.reading, to: "/etc/shadow") })
  }

  @Test("A user's groups are its own and those that have it as a member")
  func groups() throws {
    let nobody = try #require(User(named: "nobody"))
    #expect(nobody.groups == [nobody.group])
    let members = try String(contentsOfFile: "/etc/group", encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: ":", omittingEmptySubsequences: false) }
    for fields in members where fields.count == 4 {
      for name in fields[3].split(separator: ",") {
        let id = try #require(UInt32(fields[2]))
        #expect(try #require(User(named: String(name))).groups.contains(id))
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
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
}

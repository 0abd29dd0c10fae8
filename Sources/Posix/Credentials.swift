// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The user and the group whose permissions a process or a thread has (credentials(7)).
package struct Credentials: Hashable, Sendable {
  package let user: UInt32
  package let group: UInt32

  package init(user: UInt32, group: UInt32) {
    self.user = user
    self.group = group
  }

  /// The effective credentials of this process.
  package static var current: Credentials { Credentials(user: geteuid(), group: getegid()) }

  /// Switches to these for good, with `group` as the only group. Root does so before it touches user files.
  ///
  /// Only for a single-threaded process, at its start.
  package func become() throws(SystemError) {
    _ = try systemCall(.setgroups) { setgroups(0, nil) }
    _ = try systemCall(.setresgid) { setresgid(group, group, group) }
    _ = try systemCall(.setresuid) { setresuid(user, user, user) }
  }

  /// Runs `body` with these rights, and with `group` and `others` as the only groups, so that root sees what that user
  /// would see. A process that does not run as root just runs `body`.
  ///
  /// Only the calling thread changes its rights. Only if `canAct`.
  package func acting<R, Failure>(
    others: [UInt32] = [], _ body: () throws(Failure) -> R
  ) throws(Failure) -> R {
    guard geteuid() == 0, user != 0 else { return try body() }
    let groups = Self.supplementaryGroups
    defer { Self.restore(groups) }
    precondition(assume(others), "canAct was not checked")
    return try body()
  }

  /// Whether `acting` works: in some containers root cannot switch users.
  package var canAct: Bool {
    guard geteuid() == 0, user != 0 else { return true }
    let groups = Self.supplementaryGroups
    defer { Self.restore(groups) }
    return assume()
  }

  private func assume(_ others: [UInt32] = []) -> Bool {
    unsafe cposix_thread_setgroups(others.count, others) == 0 && cposix_thread_setegid(group) == 0
      && cposix_thread_seteuid(user) == 0
  }

  private static func restore(_ groups: [gid_t]) {
    precondition(
      cposix_thread_seteuid(0) == 0 && cposix_thread_setegid(getgid()) == 0, "the saved user id is still root's")
    // If the groups cannot be set, they were not changed either.
    _ = unsafe cposix_thread_setgroups(groups.count, groups)
  }

  private static var supplementaryGroups: [gid_t] {
    var groups = [gid_t](repeating: 0, count: max(0, Int(getgroups(0, nil))))
    let count = unsafe getgroups(Int32(groups.count), &groups)
    return Array(groups.prefix(max(0, Int(count))))
  }
}

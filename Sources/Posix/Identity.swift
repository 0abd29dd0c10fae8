// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

extension CurrentProcess {
  /// Becomes another user for good, without any other group: what root does before it touches that user's files.
  ///
  /// Only for a process with a single thread, at its start.
  package static func become(user: UInt32, group: UInt32) throws(SystemError) {
    _ = try systemCall(.setgroups) { setgroups(0, nil) }
    _ = try systemCall(.setresgid) { setresgid(group, group, group) }
    _ = try systemCall(.setresuid) { setresuid(user, user, user) }
  }

  /// Does `body` with another user's rights, without any group but `group`: what root does to see what that user would
  /// find. Anybody else just does it.
  ///
  /// Only for a process with a single thread. See `canAct`.
  package static func acting<R, Failure>(
    as user: UInt32, group: UInt32, _ body: () throws(Failure) -> R
  ) throws(Failure) -> R {
    guard geteuid() == 0, user != 0 else { return try body() }
    let groups = supplementaryGroups
    defer { restore(groups) }
    precondition(setgroups(0, nil) == 0 && setegid(group) == 0 && seteuid(user) == 0, "canAct was not asked")
    return try body()
  }

  /// Whether `acting` works: in some containers root may not become anybody.
  package static func canAct(as user: UInt32, group: UInt32) -> Bool {
    guard geteuid() == 0, user != 0 else { return true }
    let groups = supplementaryGroups
    defer { restore(groups) }
    return setgroups(0, nil) == 0 && setegid(group) == 0 && seteuid(user) == 0
  }

  private static func restore(_ groups: [gid_t]) {
    precondition(seteuid(0) == 0 && setegid(getgid()) == 0, "the saved user id is still root's")
    // Where it may not be set, it was not changed either.
    _ = unsafe setgroups(groups.count, groups)
  }

  private static var supplementaryGroups: [gid_t] {
    var groups = [gid_t](repeating: 0, count: max(0, Int(getgroups(0, nil))))
    let count = unsafe getgroups(Int32(groups.count), &groups)
    return Array(groups.prefix(max(0, Int(count))))
  }

  /// A user of the password database.
  package struct User: Sendable, Equatable {
    package let name: String
    package let id: UInt32
    package let group: UInt32

    package init(name: String, id: UInt32, group: UInt32) {
      self.name = name
      self.id = id
      self.group = group
    }
  }

  /// The user that `user=` of pipe(8) names, `name` or `name:group`; nil when one of them is unknown.
  package static func user(ofEntry text: String) -> User? {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    guard let first = parts.first, let user = user(named: first) else { return nil }
    guard parts.count == 2 else { return user }
    return group(named: parts[1]).map { User(name: user.name, id: user.id, group: $0) }
  }

  /// The user of that name, or of that number; nil when there is none (getpwnam(3)).
  package static func user(named name: String) -> User? { unsafe User(getpwnam(name)) }
  package static func user(_ id: UInt32) -> User? { unsafe User(getpwuid(id)) }

  /// The number of a group, nil when there is none of that name, and the other way round (getgrnam(3)).
  package static func group(named name: String) -> UInt32? {
    guard let entry = unsafe getgrnam(name) else { return nil }
    return unsafe entry.pointee.gr_gid
  }

  package static func groupName(_ id: UInt32) -> String? {
    guard let entry = unsafe getgrgid(id), let name = unsafe entry.pointee.gr_name else { return nil }
    return unsafe String(cString: name)
  }

  /// The name of a user, or the number where it has none (getpwuid(3)).
  package static func userName(_ user: UInt32) -> String {
    guard let entry = unsafe getpwuid(user), let name = unsafe entry.pointee.pw_name else { return "uid \(user)" }
    return unsafe String(cString: name)
  }

  /// The group of a user in the password database, or that of nobody where it has no such user, or root's group.
  package static func primaryGroup(of user: UInt32) -> UInt32 {
    guard let entry = unsafe getpwuid(user), case let group = unsafe entry.pointee.pw_gid, group != 0 else {
      return 65534
    }
    return group
  }

  /// How many processors this process may use.
  package static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}

extension CurrentProcess.User {
  fileprivate init?(_ entry: UnsafeMutablePointer<passwd>?) {
    guard let entry = unsafe entry, let name = unsafe entry.pointee.pw_name else { return nil }
    unsafe self.init(name: String(cString: name), id: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
  }
}

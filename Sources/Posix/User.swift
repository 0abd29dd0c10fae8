// SPDX-License-Identifier: Apache-2.0
import CPosix

/// A user in the password database.
package struct User: Sendable, Equatable {
  package let name: String
  package let credentials: Credentials

  package var id: UInt32 { credentials.user }
  package var group: UInt32 { credentials.group }

  /// Nil if there is no user with that name (getpwnam(3)).
  package init?(named name: String) { unsafe self.init(getpwnam(name)) }

  /// Nil if there is no user with that id (getpwuid(3)).
  package init?(id: UInt32) { unsafe self.init(getpwuid(id)) }

  /// The user named by `user=` of pipe(8), as `name` or `name:group`; nil if either is unknown.
  package init?(ofEntry text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let first = parts.first, let user = User(named: first) else { return nil }
    // pipe(8) takes an empty group for none.
    guard parts.count == 2, !parts[1].isEmpty else {
      self = user
      return
    }
    guard let group = Group.id(of: parts[1]) else { return nil }
    name = user.name
    credentials = Credentials(user: user.id, group: group)
  }

  /// The groups of which the user is a member, its own among them, as a service of systemd has them (initgroups(3)).
  package var groups: [UInt32] {
    var count: Int32 = 64
    while true {
      var groups = [gid_t](repeating: 0, count: Int(count))
      let needed = unsafe getgrouplist(name, group, &groups, &count)
      if needed >= 0 { return Array(groups.prefix(Int(needed))) }
    }
  }

  /// Says that `init(ofEntry:)` found none.
  package static func unknown(_ text: String) -> String {
    text.contains(":") ? "there is no such user or group: \(text)" : "there is no user \(text)"
  }

  private init?(_ entry: UnsafeMutablePointer<passwd>?) {
    guard let entry = unsafe entry, let name = unsafe entry.pointee.pw_name else { return nil }
    self.name = unsafe String(cString: name)
    credentials = unsafe Credentials(user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
  }

  /// The name of a user, or `uid` and the number if it has none.
  package static func name(of id: UInt32) -> String { User(id: id)?.name ?? "uid \(id)" }
}

/// The groups of the group database (getgrnam(3)).
package enum Group {
  /// Nil if there is no group with that name.
  package static func id(of name: String) -> UInt32? {
    guard let entry = unsafe getgrnam(name) else { return nil }
    return unsafe entry.pointee.gr_gid
  }

  /// Nil if there is no group with that id.
  package static func name(of id: UInt32) -> String? {
    guard let entry = unsafe getgrgid(id), let name = unsafe entry.pointee.gr_name else { return nil }
    return unsafe String(cString: name)
  }

  /// The primary group of a user; 65534 (nogroup) if the user is unknown or the group is root's.
  package static func primary(of user: UInt32) -> UInt32 {
    guard let group = User(id: user)?.group, group != 0 else { return 65534 }
    return group
  }
}

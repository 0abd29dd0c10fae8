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

// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix

/// What every check may look at.
package struct Site: Sendable {
  package let configurationFile: String
  /// Nil where the configuration is invalid, or not readable by us.
  package let settings: Settings?
  /// The mail user, nil when it is unknown, or when we cannot act as it.
  package let user: User?
  /// Postfix's files, or why they cannot be used.
  package let postfix: Result<PostfixDirectory, PostfixError>

  package init(
    configurationFile: String, settings: Settings?, user: User?, postfix: Result<PostfixDirectory, PostfixError>
  ) {
    self.configurationFile = configurationFile
    self.settings = settings
    self.user = user
    self.postfix = postfix
  }

  /// The mail user's name, for a command.
  package var userName: String { user?.name ?? "vmail" }

  /// Runs `body` as the mail user, if we are root and can switch users.
  package func actingAsUser<R, Failure>(_ body: () throws(Failure) -> R) throws(Failure) -> R {
    guard let user else { return try body() }
    return try user.acting(body)
  }
}

extension User {
  /// Runs `body` as this user, also with the groups `others`, if we are root and can switch users.
  package func acting<R, Failure>(others: [UInt32] = [], _ body: () throws(Failure) -> R) throws(Failure) -> R {
    guard credentials.canAct else { return try body() }
    return try credentials.acting(others: others, body)
  }
}

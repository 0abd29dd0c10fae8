// SPDX-License-Identifier: Apache-2.0

/// Exit statuses (sysexits(3)). Those of a monitoring plugin, of the audit and of the check are with their commands.
enum ExitStatus {
  static let done: Int32 = 0
  static let incomplete: Int32 = 2
  static let usage: Int32 = 64
  static let noUser: Int32 = 67
  static let inputOutput: Int32 = 74
  static let tryAgain: Int32 = 75
  static let configuration: Int32 = 78
  /// As a shell reports a program that SIGINT or SIGTERM ended.
  static func signal(_ number: Int32) -> Int32 { 128 + number }
}

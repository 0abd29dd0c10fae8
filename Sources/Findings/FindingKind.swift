// SPDX-License-Identifier: Apache-2.0

/// The kinds of finding, by the names that the manuals list. An audit reports them in this order.
package enum FindingKind: String, Sendable, Codable, CaseIterable {
  // An audit's.
  case brokenLedger = "broken-ledger"
  case strayFolderMark = "stray-maildirfolder"
  case brokenMaildir = "broken-maildir"
  case wrongRights = "wrong-owner-or-mode"
  case duplicateAddress = "duplicate-address"
  case duplicatePath = "duplicate-path"
  case badPath = "path-outside-base"
  case repeatedBase = "path-repeats-base"
  case badLimit = "bad-limit"
  case drift
  case overQuota = "over-quota"
  case domainOverLimit = "domain-over-limit"
  case limitNotEnforced = "limit-not-enforced"
  case headerLimit = "header-limit"
  case sizeInName = "size-in-name"
  case nullInList = "null-in-list"
  case negativeLimit = "negative-limit"
  case orphan = "maildir-without-mailbox"
  case capitals = "address-in-capitals"
  case absent = "mailbox-without-maildir"
  case staleFiles = "stale-tmp"
  case linkedFolder = "symlinked-folder"
  // A check's.
  case badConfiguration = "bad-configuration"
  case unknownParameter = "unknown-parameter"
  case quotedValue = "quoted-value"
  case ownName = "own-name"
  case ignoredParameter = "ignored-parameter"
  case configurationRights = "configuration-rights"
  case badTable = "bad-table"
  case tableRights = "table-rights"
  case databaseUnreachable = "database-unreachable"
  case noIndex = "no-index"
  case lookupService = "lookup-service"
  case usageTable = "usage-table"
  case postfixDirectory = "postfix-directory"
  case noEntry = "no-entry"
  case recipientLimit = "recipient-limit"
  case flags
  case nullSender = "null-sender"
  case arguments
  case program
  case entryFields = "entry-fields"
  case mailUser = "mail-user"
  case processLimit = "process-limit"
  case timeLimit = "time-limit"
  case softBounce = "soft-bounce"
  case lmtpOptions = "lmtp-options"
  case lmtpSocket = "lmtp-socket"
  case lmtpUnit = "lmtp-unit"
  case noMail = "no-mail"
  case otherValue = "other-value"
  case otherEntry = "other-entry"
  case logSocket = "log-socket"
  case policyPlace = "policy-place"
  case policyOptions = "policy-options"
  case policySocket = "policy-socket"
  case policyParameters = "policy-parameters"
  case aliasLoop = "alias-loop"
  case base
  case mailboxList = "mailbox-list"
  case lookup
  case listDiffers = "list-differs"
  case addressLimit = "limit-by-address"
  case smallLimit = "small-limit"
  case mailboxRights = "mailbox-rights"
  case brokenMailbox = "broken-mailbox"
  case quotaDriver = "quota-driver"
  case controlDirectory = "control-directory"
  case folderLayout = "folder-layout"
  case trash
  case countProfile = "count-profile"
  case fileLocks = "file-locks"
  case directorySync = "directory-sync"
  case clock
  /// Something could not be checked.
  case notChecked = "not-checked"
  // A migration's.
  /// Keeps mail from being delivered until it is solved.
  case obstacle
  /// Something is written in another way than in Postfix's files.
  case changed
  /// Something will not be as it was, or is easily overlooked.
  case different

  /// Those that an audit may find.
  package static let ofAudit = allCases.filter { $0.command == .audit }

  /// Those that a check may find: its own, and those about rows and limits that it shares with the audit.
  package static let ofCheck = allCases.filter { $0.command == .check || shared.contains($0) }

  private static let shared: Set<FindingKind> = [
    .repeatedBase, .badLimit, .nullInList, .headerLimit, .limitNotEnforced, .linkedFolder,
  ]

  private enum Command {
    case audit, check, migrate
  }

  /// The command whose manual page explains the kind.
  private var command: Command {
    switch self {
    case .brokenLedger, .strayFolderMark, .brokenMaildir, .wrongRights, .duplicateAddress, .duplicatePath, .badPath,
      .repeatedBase, .badLimit, .drift, .overQuota, .domainOverLimit, .limitNotEnforced, .headerLimit, .sizeInName,
      .nullInList,
      .negativeLimit, .orphan, .capitals, .absent, .staleFiles, .linkedFolder:
      .audit
    case .badConfiguration, .unknownParameter, .quotedValue, .ownName, .ignoredParameter, .configurationRights,
      .badTable, .tableRights, .databaseUnreachable, .noIndex, .lookupService, .usageTable, .postfixDirectory, .noEntry,
      .recipientLimit, .flags, .nullSender, .arguments, .program, .entryFields, .mailUser, .processLimit, .timeLimit,
      .softBounce, .lmtpOptions, .lmtpSocket, .lmtpUnit, .noMail, .otherValue, .otherEntry, .logSocket, .policyPlace,
      .policyOptions, .policySocket,
      .policyParameters, .aliasLoop, .base, .mailboxList, .lookup, .listDiffers,
      .addressLimit, .smallLimit, .mailboxRights, .brokenMailbox, .quotaDriver, .controlDirectory, .folderLayout,
      .trash,
      .countProfile, .fileLocks, .directorySync, .clock, .notChecked:
      .check
    case .obstacle, .changed, .different: .migrate
    }
  }
}

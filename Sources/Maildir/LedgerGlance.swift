// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// What a ledger says by itself: read without a lock, without opening the Maildir, and without proof that the path
/// leads where a delivery would go. So it may let a message pass, but refuse none.
package struct LedgerGlance: Sendable {
  /// Nil if the ledger cannot be trusted, or is not there.
  package let usage: QuotaUsage?
  private let identity: FileIdentity
  private let size: Int64
  private let modified: Timestamp

  /// - Parameters:
  ///   - maildir: the path of the Maildir.
  ///   - known: the last look at this ledger; while the file is the same and unchanged it is not read again.
  /// - Returns: nil if there is no ledger, or it cannot be read.
  package static func look(in maildir: Path, limit: QuotaLimit, known: LedgerGlance?) -> LedgerGlance? {
    let path = maildir.appending(LedgerFile.name)
    do throws(SystemError) {
      let status = try stat(path, following: false)
      if let known, known.isAbout(status) { return known }
      guard status.kind == .regular else { return nil }
      let file = try File(open: path, [.noFollow, .nonBlocking])
      return LedgerGlance(try file.pread(upTo: LedgerContents.largestSize + 1), try file.fstat(path), limit)
    } catch { return nil }
  }

  private init(_ text: [UInt8], _ status: FileStatus, _ limit: QuotaLimit) {
    identity = status.identity
    size = status.size
    modified = status.modified
    usage = Self.usage(text, limit)
  }

  private func isAbout(_ status: FileStatus) -> Bool {
    identity == status.identity && size == status.size && modified == status.modified
  }

  private static func usage(_ text: [UInt8], _ limit: QuotaLimit) -> QuotaUsage? {
    do {
      let contents = try LedgerContents(text)
      let isUnlimited = contents.limit == .none && limit != .none
      return isUnlimited || contents.isLopsided ? nil : contents.usage
    } catch { return nil }
  }
}

// SPDX-License-Identifier: Apache-2.0
package import Posix

/// Finds one Maildir after another without creating anything. The parent directory of the last one is kept
/// open, because the next one is most likely in it, too.
package struct MaildirFinder: ~Copyable {
  private var above: [Path] = []
  private var base: Path?
  private var walk: MaildirWalk?

  package init() {}

  /// The status of a Maildir's directory, above all its owner. The directory need not be readable.
  package mutating func status(base: Path, components: [Path]) throws(MaildirError) -> FileStatus {
    let last = try go(base, components)
    let status = try walk?.status(of: last)
    guard let status else { throw .missing(Array(last.bytes)) }
    return status
  }

  /// Opens the directory. Below the base only symlinks that root owns are followed.
  package mutating func open(base: Path, components: [Path]) throws(MaildirError) -> File {
    let last = try go(base, components)
    guard let directory = try walk?.open(last) else { throw .missing(Array(last.bytes)) }
    return directory
  }

  /// Enters the parent directory of the Maildir.
  ///
  /// - Returns: the Maildir's own name.
  private mutating func go(_ base: Path, _ components: [Path]) throws(MaildirError) -> Path {
    guard let last = components.last else { throw .notADirectory(Array(base.bytes)) }
    let above = Array(components.dropLast())
    if walk == nil || self.base != base || self.above != above {
      walk = nil
      var walk = try MaildirWalk(base: base, absent: .refused)
      for component in above { try walk.enter(component) }
      self.walk = consume walk
      self.base = base
      self.above = above
    }
    return last
  }
}

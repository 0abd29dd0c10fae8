// SPDX-License-Identifier: Apache-2.0

/// Which messages count, and with what size: programs that share a Maildir disagree about both.
///
/// It must be the IMAP server's, or else each of the two programs corrects what the other counted.
package enum CountingProfile: String, CaseIterable, Sendable {
  /// What all agree on: regular files whose names do not begin with a dot, in `new/` and `cur/` of the Maildir and of
  /// each `.Folder`.
  case common = "maildir++"
  /// Courier IMAP, maildrop: entries of every kind count, but not messages with the flag T.
  case courier
  /// Dovecot's `maildir` driver: names that begin with a single dot, and symlinked folders, count too.
  case dovecot
  /// Exim's appendfile: like Dovecot, and also folders inside folders.
  case exim
  /// The VDA patch: `tmp/`, and directories at any depth, count too; the size is always the file's.
  case vda

  /// Whether messages with the flag T count, which are about to be expunged.
  package var countsTrashed: Bool { self != .courier }

  /// Whether directories, FIFOs and symlinks count like messages.
  package var countsEveryKind: Bool { self == .courier || self == .dovecot || self == .exim }

  /// Whether symlinks are followed: to a message, for its size, and to `new/` and `cur/`.
  package var followsSymlinks: Bool { self != .common }

  /// Whether a file without a size in its name counts with its size divided by its links.
  package var sharesLinks: Bool { self == .exim }

  /// Whether a folder that is a symlink counts: it may lead to another mailbox, or count a message twice.
  package var countsLinkedFolders: Bool { self == .dovecot || self == .exim }

  /// Whether folders are searched for further folders.
  package var nests: Bool { self == .exim || self == .vda }

  /// Whether a directory called `name` is a folder.
  package func isFolder(_ name: Span<UInt8>) -> Bool {
    self == .vda ? !holdsMessages(name) : name[0] == UInt8(ascii: ".")
  }

  /// Whether files in a directory called `name` are messages.
  package func holdsMessages(_ name: Span<UInt8>) -> Bool {
    Self.isEqual(name, Self.new) || Self.isEqual(name, Self.cur) || self == .vda && Self.isEqual(name, Self.tmp)
  }

  /// Whether a file called `name` is a message.
  package func counts(_ name: Span<UInt8>) -> Bool {
    guard name[0] == UInt8(ascii: ".") else { return true }
    switch self {
    case .common, .courier: return false
    case .dovecot: return name.count > 1 && name[1] != UInt8(ascii: ".")
    case .exim, .vda: return true
    }
  }

  /// The size in the name of a message, in bytes, or nil if it must be read from the file.
  package func size(in name: Span<UInt8>) -> Int64? {
    switch self {
    case .common: MessageFileName.size(in: name)
    case .courier: MessageFileName.sizeAsCourier(in: name)
    case .dovecot: MessageFileName.firstSize(in: name, mayBeEmpty: true)
    case .exim: MessageFileName.firstSize(in: name, mayBeEmpty: false)
    case .vda: nil
    }
  }

  private static let new = Array("new".utf8), cur = Array("cur".utf8), tmp = Array("tmp".utf8)

  private static func isEqual(_ name: Span<UInt8>, _ other: [UInt8]) -> Bool {
    name.count == other.count && name.indices.allSatisfy { name[$0] == other[$0] }
  }
}

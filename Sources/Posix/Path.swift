// SPDX-License-Identifier: Apache-2.0
import CPosix
import Text

/// A file name or path as the kernel takes it: any bytes except NUL, in no particular encoding.
package struct Path: Sendable, Hashable {
  /// The bytes and the terminating NUL.
  let terminated: [UInt8]

  /// Nil if `bytes` contain a NUL, which would silently truncate the name.
  package init?(_ bytes: some Sequence<UInt8>) {
    var terminated = Array(bytes)
    guard !terminated.contains(0) else { return nil }
    terminated.append(0)
    self.terminated = terminated
  }

  /// The name without the NUL.
  package var bytes: ArraySlice<UInt8> { terminated.dropLast() }

  /// For display: control characters and invalid UTF-8 are written as `\ooo`.
  package var text: String { displayText(bytes) }

  /// `self/name`
  package func appending(_ name: Path) -> Path {
    Path(joined: bytes + [UInt8(ascii: "/")] + name.terminated)
  }

  private init(joined terminated: ArraySlice<UInt8>) {
    self.terminated = Array(terminated)
  }

  /// Creates a private directory in TMPDIR or /tmp (mkdtemp(3)).
  package static func makeTemporaryDirectory(_ prefix: String) throws(SystemError) -> Path {
    let parent = CurrentProcess.environment("TMPDIR")
    var template = Array("\(parent.isEmpty ? "/tmp" : parent)/\(prefix).XXXXXX\0".utf8)
    let isMade = unsafe template.withUnsafeMutableBytes { buffer -> Bool in
      guard let start = buffer.baseAddress else { return false }
      return unsafe mkdtemp(start.assumingMemoryBound(to: CChar.self)) != nil
    }
    guard isMade, let path = Path(template.dropLast()) else {
      throw SystemError(.mkdirat, template.dropLast(), cposix_errno())
    }
    return path
  }

  func withCString<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
    unsafe terminated.withUnsafeBytes { bytes -> R in
      // Never empty: the NUL is always there.
      guard let start = bytes.baseAddress else { preconditionFailure("a path without its NUL") }
      return unsafe body(start.assumingMemoryBound(to: CChar.self))
    }
  }
}

extension Path: ExpressibleByStringLiteral {
  package init(stringLiteral text: String) {
    precondition(!text.utf8.contains(0), "a path holds no NUL")
    terminated = Array(text.utf8) + [0]
  }
}

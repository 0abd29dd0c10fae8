// SPDX-License-Identifier: Apache-2.0
import CPosix
import Text

/// A shared library that is loaded on demand, so that its absence is an ordinary error: a program linked
/// against a missing library exits with status 127, and pipe(8) bounces the message.
///
/// It stays loaded until the process exits.
@safe
package struct DynamicLibrary {
  private let handle: UnsafeMutableRawPointer

  /// - Throws: the text of dlerror(3).
  package init(_ name: String) throws(DynamicLibraryError) {
    guard let handle = unsafe dlopen(name, RTLD_NOW | RTLD_LOCAL) else { throw .current() }
    unsafe self.handle = handle
  }

  /// The function `name`, which must have the C function type `F`.
  @unsafe
  package func function<F>(_ name: String, as type: F.Type = F.self) throws(DynamicLibraryError) -> F {
    guard let symbol = unsafe dlsym(handle, name) else { throw .current() }
    return unsafe unsafeBitCast(symbol, to: F.self)
  }
}

/// Why a shared library or one of its functions cannot be used: the text of dlerror(3).
package struct DynamicLibraryError: ExplainedError {
  package let sentence: [UInt8]

  static func current() -> DynamicLibraryError {
    guard let text = unsafe dlerror() else { return DynamicLibraryError(sentence: Array("unknown error".utf8)) }
    return DynamicLibraryError(sentence: unsafe Array(String(cString: text).utf8))
  }
}

// SPDX-License-Identifier: Apache-2.0
import Glibc
import Text

/// A shared library that is loaded when it is needed, so that its absence is an error like any other: a program that
/// is linked with a missing library exits 127, and pipe(8) bounces the message.
///
/// It stays loaded until the process ends.
@safe
package struct DynamicLibrary {
  private let handle: UnsafeMutableRawPointer

  /// - Throws: what dlerror(3) says.
  package init(_ name: String) throws(DynamicLibraryError) {
    guard let handle = unsafe dlopen(name, RTLD_NOW | RTLD_LOCAL) else { throw .current() }
    unsafe self.handle = handle
  }

  /// The function called `name`, which must be of the C function type `F`.
  @unsafe
  package func function<F>(_ name: String, as type: F.Type = F.self) throws(DynamicLibraryError) -> F {
    guard let symbol = unsafe dlsym(handle, name) else { throw .current() }
    return unsafe unsafeBitCast(symbol, to: F.self)
  }
}

/// Why a shared library, or a function of it, cannot be used: what dlerror(3) says.
package struct DynamicLibraryError: ExplainedError {
  package let sentence: [UInt8]

  static func current() -> DynamicLibraryError {
    guard let text = unsafe dlerror() else { return DynamicLibraryError(sentence: Array("unknown error".utf8)) }
    return DynamicLibraryError(sentence: unsafe Array(String(cString: text).utf8))
  }
}

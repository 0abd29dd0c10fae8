// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// What this process is.
struct CurrentProcessTests {
  @Test("The process, its parent and user, and the machine")
  func process() throws {
    #expect(CurrentProcess.identifier == getpid() && CurrentProcess.parent == getppid())
    #expect(CurrentProcess.effectiveUser == geteuid())
    #expect(CurrentProcess.processorCount >= 1)
    let uname = try Command.check(["uname", "-n"])
    #expect(CurrentProcess.hostName.text + "\n" == uname)
  }

  @Test("A variable of the environment, or nothing")
  func environment() {
    #expect(CurrentProcess.environment("PATH") == ProcessInfo.processInfo.environment["PATH"])
    #expect(CurrentProcess.environment("ULLAGE_NO_SUCH_VARIABLE") == "")
  }

  @Test("A library that is missing, or that lacks a function, is an error that says which")
  func libraries() throws {
    let missing = #expect(throws: DynamicLibraryError.self) { try DynamicLibrary("libullage-no-such.so.1") }
    #expect(missing?.shown.contains("libullage-no-such.so.1") == true)
    let library = try DynamicLibrary("libm.so.6")
    let cosine = try unsafe library.function("cos", as: (@convention(c) (Double) -> Double).self)
    let one = cosine(0)
    #expect(one == 1)
    let symbol = #expect(throws: DynamicLibraryError.self) {
      _ = try unsafe library.function("no_such_function", as: (@convention(c) () -> Void).self)
    }
    #expect(symbol?.shown.contains("no_such_function") == true)
  }
}

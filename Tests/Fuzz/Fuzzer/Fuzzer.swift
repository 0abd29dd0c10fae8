import Foundation
// SPDX-License-Identifier: Apache-2.0
import FuzzTargets

/// Chosen by the environment: `ULLAGE_FUZZ_TARGET=policy`.
private let target = FuzzTarget(rawValue: ProcessInfo.processInfo.environment["ULLAGE_FUZZ_TARGET"] ?? "") ?? .policy

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  unsafe target.run(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}

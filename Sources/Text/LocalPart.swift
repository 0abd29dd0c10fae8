// SPDX-License-Identifier: Apache-2.0

/// A local part as Postfix writes it into a message header: in double quotes unless it is a dot-atom (RFC 5322
/// §3.2.3).
package func quotedLocalPart(_ local: ArraySlice<UInt8>) -> [UInt8] {
  let isPlain: (UInt8) -> Bool = { $0 > 32 && $0 != 127 && !"()<>[]:;@\\,\"".utf8.contains($0) }
  let parts = local.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
  if parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isPlain) }) { return Array(local) }
  let quote = UInt8(ascii: "\"")
  let backslash = UInt8(ascii: "\\")
  return [quote] + local.flatMap { $0 == quote || $0 == backslash || $0 == 13 ? [backslash, $0] : [$0] } + [quote]
}

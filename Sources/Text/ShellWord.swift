// SPDX-License-Identifier: Apache-2.0

/// `text` as one word of a shell command printed for pasting: addresses and paths may contain anything.
package func shellWord(_ text: String) -> String {
  let isPlain =
    !text.isEmpty
    && text.unicodeScalars.allSatisfy { scalar in
      scalar.isASCII
        && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
          || "@%_+=:,./-".unicodeScalars.contains(scalar))
    }
  return isPlain ? text : "'" + text.replacing(UInt8(ascii: "'"), with: "'\\''") + "'"
}

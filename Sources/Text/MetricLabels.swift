// SPDX-License-Identifier: Apache-2.0

/// `{action="pass",reason="room"}`, empty without labels: as in Prometheus' text format, in whose values backslash,
/// quote and line feed are escaped.
package func metricLabels(_ labels: [(name: String, value: String)]) -> String {
  guard !labels.isEmpty else { return "" }
  let pairs = labels.map { name, value in
    let escaped = value.unicodeScalars.map { scalar -> String in
      switch scalar {
      case "\\": "\\\\"
      case "\"": "\\\""
      case "\n": "\\n"
      default: String(scalar)
      }
    }
    return "\(name)=\"\(escaped.joined())\""
  }
  return "{\(pairs.joined(separator: ","))}"
}

// SPDX-License-Identifier: Apache-2.0
import Foundation

extension PostfixInstance {
  /// The replies to the lines of one SMTP session, in their order, each with its continuation lines. `{body 9}` stands
  /// for a message of 9 lines of 60 characters, and its end.
  ///
  /// - Parameter before: what happens before the line with this number is sent.
  package func dialogue(_ lines: [String], before number: Int? = nil, _ action: () throws -> Void = {}) throws
    -> [String]
  {
    let script = """
      import socket, sys
      connection = socket.create_connection(("127.0.0.1", \(port)), timeout=30)
      stream = connection.makefile("rwb")
      def reply():
          text = b""
          while True:
              line = stream.readline()
              text += line
              if not line or line[3:4] != b"-":
                  return text.decode(errors="replace").rstrip().replace("\\r\\n", "|")
      reply()
      for line in sys.stdin:
          line = line.rstrip("\\n")
          if line.startswith("{body "):
              line = "Subject: x\\r\\n\\r\\n" + ("x" * 60 + "\\r\\n") * int(line[6:-1]) + "."
          stream.write(line.encode("latin-1") + b"\\r\\n")
          stream.flush()
          print(reply(), flush=True)
      """
    let client = try Command(launcher + ["python3", "-c", script], input: .pipe)
    let first = number ?? lines.count
    try client.write(Array(lines[..<first].map { $0 + "\n" }.joined().utf8))
    if first < lines.count {
      try waitUntil("\(first) replies") { client.outputSoFar.split(separator: "\n").count == first ? () : nil }
      try action()
      try client.write(Array(lines[first...].map { $0 + "\n" }.joined().utf8))
    }
    let ending = client.wait()
    guard ending.status == 0 else { throw TestError("an SMTP session: \(ending)\n\(log.suffix(2000))") }
    return ending.output.split(separator: "\n").map(String.init)
  }
}

// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// The socket of the log. A delivery never waits for it, and works without one.
struct LogCheck {
  let site: Site
  let settings: Settings

  func findings() -> [Finding] {
    var found = FindingList(.postfix)
    guard let path = Path(settings.logSocket), !site.actingAsUser({ Self.canSend(to: path) }) else { return [] }
    found.add(
      .warning, .logSocket, "nothing listens on \(settings.logSocket.text)", at: "log_socket",
      reason:
        "the log lines of deliveries are lost, above all the causes of deferrals. (Postfix's maillog_file takes only"
        + " Postfix's own lines)",
      remedy: .advice("run a syslog daemon or journald, or name its socket: log_socket = PATH in ullage.cf"))
    return found.findings
  }

  private static func canSend(to path: Path) -> Bool {
    do { return try stat(path).kind == .other && isAllowed(.writing, to: path) } catch { return false }
  }
}

// SPDX-License-Identifier: Apache-2.0
import Audit
import Findings
import Posix
import Presentation
import Text

/// The files that an audit of the whole list replaces at its end.
struct AuditFiles {
  let prometheus: String?
  /// How many of the largest mailboxes are named for Prometheus.
  let top: Int
  let html: String?
  /// Kinds that were not looked for.
  let ignored: Set<FindingKind>
  let say: (String) -> Void

  /// An audit may take hours, so what keeps a file from being written is said before it.
  func checkDirectories() throws {
    for name in [prometheus, html].compactMap({ $0 }) {
      let file = try path(name)
      let slash = file.bytes.lastIndex(of: UInt8(ascii: "/"))
      let directory = slash.flatMap { Path(file.bytes[..<$0] + Array("/".utf8)) } ?? "."
      guard isAllowed(.writing, to: directory) else {
        throw CommandError(
          ExitStatus.configuration,
          "\(name): uid \(CurrentProcess.effectiveUser) cannot write to that directory (in a unit of systemd, it also"
            + " takes ReadWritePaths=)")
      }
    }
  }

  /// An error is said, and keeps the audit's exit status.
  ///
  /// - Parameter statistics: nil if the run has seen only a part of the list.
  func write(_ state: AuditState, _ statistics: AuditStatistics?, _ remedies: RemedyText, seconds: Double) {
    let now = Timestamp.now
    replace(prometheus, "--prometheus", statistics, mode: 0o644) {
      AuditMetrics.text(state, $0, ignored: ignored, top: top, seconds: seconds, now: now.seconds)
    }
    replace(html, "--html", statistics, mode: 0o640) {
      AuditPage(state, $0, remedies).text(seconds: seconds, now: now)
    }
  }

  private func replace(
    _ name: String?, _ option: String, _ statistics: AuditStatistics?, mode: UInt32,
    _ text: (AuditStatistics) -> String
  ) {
    guard let name else { return }
    guard let statistics else { return say("\(name) stays as it is: this run has seen only a part of the list") }
    do { try File.replace(try path(name), with: Array(text(statistics).utf8), mode: mode) } catch {
      say("\(option): \(CommandError(error).shown)")
    }
  }

  private func path(_ name: String) throws -> Path {
    guard let path = Path(name.utf8) else { throw CommandError(ExitStatus.usage, "the name of a file contains NUL") }
    return path
  }
}

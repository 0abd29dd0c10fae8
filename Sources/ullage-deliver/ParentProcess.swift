// SPDX-License-Identifier: Apache-2.0
import Posix

/// The process that started us: pipe(8).
struct ParentProcess: ~Copyable, Sendable {
  /// What was found at the first call of `find`. The exit closes it.
  static let current = ParentProcess()

  private let identifier = CurrentProcess.parent
  /// /proc/PID/stat, opened while the PID is certainly still the parent's; nil where /proc does not show it to us
  /// (hidepid=2, which is systemd's ProtectProc=invisible).
  private let status: File?
  /// Where there is no status.
  private let handle: ProcessHandle?

  /// To be called while the parent certainly lives, or its PID may mean another process.
  static func find() { _ = current.identifier }

  private init() {
    var file: File?
    var handle: ProcessHandle?
    if let path = Path("/proc/\(identifier)/stat".utf8) { do { file = try File(open: path) } catch {} }
    if file == nil { do { handle = try ProcessHandle(identifier) } catch {} }
    status = file
    self.handle = handle
  }

  /// False also if the parent was gone before we could look: the parent of an orphan is process 1. Parent 0
  /// is a process outside our PID namespace.
  var isAlive: Bool {
    guard identifier > 1, CurrentProcess.parent == identifier else { return false }
    guard status != nil else { return handle?.isGone() != true }
    // Reading the file fails once the process is gone.
    let text: [UInt8]
    do { text = try status?.pread(upTo: 1024) ?? [] } catch { return false }
    guard let parenthesis = text.lastIndex(of: UInt8(ascii: ")")) else { return false }
    // After the command's name: state, parent, group, session, terminal, its group, flags (proc(5)).
    let fields = text[(parenthesis + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 6, let flags = UInt32(String(decoding: fields[6], as: UTF8.self)) else { return true }
    let isZombie = fields[0].first == UInt8(ascii: "Z") || fields[0].first == UInt8(ascii: "X")
    let exiting: UInt32 = 4  // PF_EXITING, linux/sched.h
    return !isZombie && flags & exiting == 0
  }
}

// SPDX-License-Identifier: Apache-2.0
#if DEBUG
  import CPosix
  import Synchronization

  /// Makes one chosen system call of this process fail, for the fault walks. Not part of what is installed.
  ///
  /// `ULLAGE_FAULT=17:ENOSPC` fails wrapped call 17 (counted from 0), `17:short` halves a write, `17:KILL`
  /// kills the process before the call, and `17:TRAP` ends it as one of our own bugs would. A fault that fired is
  /// recorded in `$ULLAGE_FAULT_LOG`, so that a walk knows when it has passed the last call. `17:KILL:worker` applies
  /// only if `worker` is the first argument.
  ///
  /// `ULLAGE_FILE_SYSTEM=nfs` makes every file system behave like NFS: no unnamed files, only plain renames,
  /// and locks and time stamps that only this host sees.
  struct FaultPlan: Sendable {
    static let current = FaultPlan()
    private static let calls = Atomic<Int>(0)

    let treatsEveryFileSystemAsNetwork: Bool
    private let index: Int
    private let action: String

    private init() {
      let parts = CurrentProcess.environment("ULLAGE_FAULT").split(separator: ":")
      let isMeant = parts.count == 2 || parts.count == 3 && CurrentProcess.arguments.first == Array(parts[2].utf8)
      index = isMeant ? Int(parts[0]) ?? -1 : -1
      action = isMeant ? String(parts[1]) : ""
      treatsEveryFileSystemAsNetwork = CurrentProcess.environment("ULLAGE_FILE_SYSTEM") == "nfs"
    }

    /// The `errno` with which the next call fails, 0 for none.
    func error(for call: SystemCall) -> Int32 {
      let number = Self.calls.wrappingAdd(1, ordering: .relaxed).oldValue
      guard number == index else { return 0 }
      note(call)
      switch action {
      case "EIO": return EIO
      case "ENOSPC": return ENOSPC
      case "EDQUOT": return EDQUOT
      case "EINTR": return EINTR
      case "EMLINK": return EMLINK
      case "ENOENT": return ENOENT
      case "EROFS": return EROFS
      case "EXDEV": return EXDEV
      case "KILL": kill(getpid(), SIGKILL)
      case "TRAP": preconditionFailure("4.2.2 a text that must not get out")
      default: break
      }
      return 0
    }

    /// Whether the next call, a write, takes only half of its bytes.
    var shortensNextCall: Bool { action == "short" && Self.calls.load(ordering: .relaxed) == index }

    private func note(_ call: SystemCall) {
      guard let log = Path(CurrentProcess.environment("ULLAGE_FAULT_LOG").utf8) else { return }
      let descriptor = unsafe log.withCString {
        unsafe cposix_open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      }
      guard descriptor >= 0 else { return }
      let line = Array("\(index) \(call.rawValue)\n".utf8)
      _ = unsafe line.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
      close(descriptor)
    }
  }
#endif

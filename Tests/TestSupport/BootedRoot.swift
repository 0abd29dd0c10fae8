// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A `DebianRoot` in which systemd runs as process 1 of namespaces of its own, with a loopback network alone.
package final class BootedRoot {
  package let root: DebianRoot
  /// unshare(1), and the process 1 that it has started, as seen from outside.
  private let outside: Command
  private let process: Int
  private let group: String

  /// Boots the root, whose packages have been installed.
  package init(_ root: DebianRoot) throws {
    self.root = root
    // Packages start their units from now on, as on a real machine.
    try root.shell(
      """
      rm -f /usr/sbin/policy-rc.d
      for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
        systemd-logind.service getty@tty1.service console-getty.service apt-daily.timer apt-daily-upgrade.timer \
        systemd-remount-fs.service systemd-firstboot.service systemd-journal-flush.service; do
        ln -sf /dev/null /etc/systemd/system/$unit
      done
      ln -sf /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
      """)
    let path = root.path
    group = root.sandbox("cgroup")
    let script = """
      mkdir -p "$1"; mount -t cgroup2 cgroup2 "$1"; mkdir "$1/ullage-$2"; echo $$ >"$1/ullage-$2/cgroup.procs"
      exec unshare --uts --ipc --pid --net --cgroup --fork --kill-child sh -ec '
        mount -t proc proc "$0/proc"; mount -t sysfs -o ro sysfs "$0/sys"
        mount -t cgroup2 cgroup2 "$0/sys/fs/cgroup"; mount -t tmpfs tmpfs "$0/run"; mount -t tmpfs tmpfs "$0/tmp"
        mount --rbind /dev "$0/dev"; ip link set lo up
        exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$0" /lib/systemd/systemd
      ' "$0"
      """
    // The mounts vanish with the namespace.
    outside = try Command(
      [
        "unshare", "--mount", "sh", "-ec", "mount --make-rprivate /; mount --bind \"$0\" \"$0\"; \(script)", path,
        group,
        "\(getpid())",
      ], input: .closed)
    let unshare = outside.process
    do {
      process = try waitUntil("process 1") {
        let children = try? String(contentsOfFile: "/proc/\(unshare)/task/\(unshare)/children", encoding: .utf8)
        guard let child = children?.split(separator: " ").first.flatMap({ Int($0) }) else { return nil }
        let name = try? String(contentsOfFile: "/proc/\(child)/comm", encoding: .utf8)
        return name == "systemd\n" ? child : nil
      }
    } catch {
      // Without a process 1 there is no deinit.
      outside.kill(SIGKILL)
      _ = outside.wait()
      throw error
    }
    // It says "starting" until all units have been started.
    try waitUntil("the boot", seconds: 120) {
      let state = try run("systemctl is-system-running").output
      return ["running\n", "degraded\n"].contains(state) ? () : nil
    }
  }

  deinit {
    // Process 1 takes all others with it; to systemd SIGTERM means something else.
    kill(pid_t(process), SIGKILL)
    _ = outside.wait()
    _ = try? Command.run(
      [
        "unshare", "--mount", "sh", "-c",
        "mount -t cgroup2 cgroup2 \"$0\" && find \"$0/ullage-$1\" -depth -type d -exec rmdir {} +", group,
        "\(getpid())",
      ])
  }

  /// Runs lines of bash(1) inside.
  package func run(_ script: String) throws -> Command.Ending {
    try Command.run(
      [
        "nsenter", "-t", "\(process)", "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
        "DEBIAN_FRONTEND=noninteractive", "bash", "-c", script,
      ])
  }

  @discardableResult
  package func shell(_ script: String) throws -> String {
    let ending = try run("set -e\n\(script)")
    guard ending.status == 0 else {
      let journal = try run("journalctl -q --no-pager -o cat -n 40").output
      throw TestError("\(script): status \(ending.status): \(ending.output)\(ending.errors)\(journal)")
    }
    return ending.output
  }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A small virtual machine from scripts/vm-image, emulated by qemu(1), whose shell the test writes to.
package final class VirtualMachine {
  /// A cable between two machines: a Unix socket at which one of them listens.
  package enum Cable {
    case listening(at: String)
    case connected(to: String)

    fileprivate var option: String {
      switch self {
      case .listening(let socket): "stream,server=on,addr.type=unix,addr.path=\(socket)"
      case .connected(let socket): "stream,server=off,addr.type=unix,addr.path=\(socket)"
      }
    }

    /// Another one at each end.
    fileprivate var addressByte: String { if case .listening = self { "01" } else { "02" } }
  }

  private let qemu: Command
  private let name: String
  private var isOff = false
  private var scripts = 0

  /// Starts the machine and waits for its shell.
  ///
  /// - Parameters:
  ///   - name: its host name.
  ///   - image: the directory that scripts/vm-image has printed.
  ///   - cables: become `eth0`, `eth1` and so on.
  ///   - disk: a file that becomes `/dev/vda`.
  package init(_ name: String, image: String, cables: [Cable], disk: String? = nil) throws {
    self.name = name
    var arguments = [
      "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "256", "-no-reboot", "-nodefaults",
      "-display", "none", "-kernel", "\(image)/kernel", "-initrd", "\(image)/initramfs", "-append", "quiet panic=-1",
      "-device", "virtio-serial-pci", "-chardev", "stdio,id=shell", "-device", "virtserialport,chardev=shell",
    ]
    for (number, cable) in cables.enumerated() {
      let address = "52:54:00:00:\(cable.addressByte):0\(number)"
      arguments += ["-netdev", "\(cable.option),id=net\(number)"]
      arguments += ["-device", "virtio-net-pci,netdev=net\(number),mac=\(address)"]
    }
    if let disk { arguments += ["-drive", "file=\(disk),format=raw,if=virtio"] }
    qemu = try Command(arguments, input: .pipe)
    _ = try waitForLine("booted", after: 0, seconds: 120)
    try shell("hostname \(name)")
  }

  deinit { powerOff() }

  /// Ends the machine as a power cut does: what it had not written is lost.
  package func powerOff() {
    guard !isOff else { return }
    isOff = true
    qemu.kill(SIGKILL)
    _ = qemu.wait()
  }

  /// A script that runs in the machine.
  package struct Script {
    fileprivate let number: Int
    /// Where its output begins.
    fileprivate let offset: Int
  }

  /// Starts lines of sh(1). One script runs at a time: the next one begins after its end.
  package func begin(_ lines: String) throws -> Script {
    scripts += 1
    let offset = qemu.outputSoFar.utf8.count
    try qemu.write(Array("(set -e\n\(lines)\n) </dev/null; echo ended \(scripts): $?\n".utf8))
    return Script(number: scripts, offset: offset)
  }

  /// Waits for the end of a script, which must succeed.
  ///
  /// - Returns: what it has printed.
  package func finish(_ script: Script, seconds: Double = 120) throws -> String {
    let (output, rest) = try waitForLine("ended \(script.number): ", after: script.offset, seconds: seconds)
    guard rest == "0" else { throw TestError("\(name): status \(rest): \(output)") }
    return output
  }

  @discardableResult
  package func shell(_ lines: String) throws -> String { try finish(try begin(lines)) }

  /// - Returns: what was printed before the line that begins with `start`, and the rest of that line.
  private func waitForLine(
    _ start: String, after offset: Int, seconds: Double
  ) throws -> (output: String, rest: Substring) {
    do {
      return try waitUntil(start, seconds: seconds) {
        if qemu.hasEnded {
          isOff = true
          throw TestError("it has stopped: \(qemu.wait().errors)")
        }
        let lines = output(from: offset).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard let number = lines.firstIndex(where: { $0.hasPrefix(start) }) else { return nil }
        return (lines[..<number].map { $0 + "\n" }.joined(), lines[number].dropFirst(start.count))
      }
    } catch { throw TestError("\(name): \(error): \(output(from: offset))") }
  }

  private func output(from offset: Int) -> String {
    String(decoding: qemu.outputSoFar.utf8.dropFirst(offset), as: UTF8.self)
  }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Posix
import Presentation
import Sweep
import Tables
import Text

extension ParsableCommand {
  /// Runs `body`, prints any error it throws on one line, and exits with the status it returns or the error's.
  func perform(_ body: () throws -> Int32) throws {
    let isOutputClosed = StandardStream.isOutputClosed
    ProcessStart.openStandardStreams()
    ProcessStart.ignoreWriteSignals()
    let status: Int32
    do {
      guard !isOutputClosed else {
        throw CommandError(ExitStatus.inputOutput, "standard output is closed; nothing was done")
      }
      status = try body()
    } catch {
      let failure = CommandError(error)
      say(failure.shown)
      throw ExitCode(failure.status)
    }
    if status != 0 { throw ExitCode(status) }
  }

  /// Writes a line to standard error, after the name of the command.
  func say(_ text: String) {
    StandardStream.writeError("ullage: \(Self.configuration.commandName ?? ""): \(text)\n")
  }

  /// The database does not answer; it is queried again for half a minute.
  func sayThatItWaits(_ error: TableError) { say("\(error.shown); retrying for half a minute") }

  /// Names the addresses that have no mailbox, and says when the lookup service was skipped.
  func reportLookups(of sweep: Sweep) {
    if let failure = sweep.serviceFailure {
      StandardStream.writeError("ullage: warning: queried without the lookup service: \(failure)\n")
    }
    for address in sweep.unknownAddresses {
      say(
        sweep.inactiveAddresses.contains(address)
          ? "\(address): its mailbox is switched off, and receives no mail"
          : "\(address): no such mailbox; ullage map shows which table was queried")
    }
  }
}

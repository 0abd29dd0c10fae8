// SPDX-License-Identifier: Apache-2.0
import Delivery
import Posix

// This comes first: what a library prints must not reach the sender.
ProcessStart.silenceStandardError()

let hasTerminal = Terminal.hasInputOrOutput
// pipe(8) always passes the message through a pipe.
if let text = Manual.answer(to: CurrentProcess.arguments), hasTerminal || StandardStream.inputIsDevice {
  _ = StandardStream.write(Array(text.utf8))
  CurrentProcess.exit(0)
}

/// Delivers the message on standard input, and exits.
func deliver() -> Never {
  let message = PipeInput()
  ProcessStart.ignoreWriteSignals()
  ProcessStart.interruptWaitsEverySecond()

  var program = DeliveryProgram(arguments: CurrentProcess.arguments)
  let answer = PipeAnswer(program.run(message))

  // If the verdict cannot be written, defer instead: the sender would get pipe(8)'s own text.
  let text = answer.output + Array((hasTerminal ? "\nThe cause is in the mail log.\n" : "").utf8)
  let isWritten = answer.output.isEmpty || StandardStream.write(text)
  CurrentProcess.exit(isWritten ? answer.exitStatus : PipeAnswer.temporaryFailure)
}

deliver()

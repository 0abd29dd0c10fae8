// SPDX-License-Identifier: Apache-2.0
import Delivery
import Posix

// First of all: what a library prints must not reach the sender.
ProcessStart.silenceStandardError()

let hasTerminal = CurrentProcess.hasTerminal
// pipe(8) hands the message over in a pipe, always.
if let text = Manual.answer(to: CurrentProcess.arguments), hasTerminal || StandardStream.inputIsNull {
  _ = StandardStream.write(Array(text.utf8))
  CurrentProcess.exit(0)
}

var message = PipeInput()
ProcessStart.ignoreWriteSignals()
ProcessStart.interruptWaitsEverySecond()

var program = DeliveryProgram(arguments: CurrentProcess.arguments)
let disposition = program.run(&message)

// A refusal that cannot be said is none: the sender would get a text of pipe(8)'s own.
let text = disposition.output + Array((hasTerminal ? "\nThe cause is in the mail log.\n" : "").utf8)
let isSaid = disposition.output.isEmpty || StandardStream.write(text)
CurrentProcess.exit(isSaid ? disposition.exitStatus : 75)

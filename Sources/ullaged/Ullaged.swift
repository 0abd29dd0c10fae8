// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Posix

#if hasFeature(Embedded)
  #error("ullaged has threads, and in Embedded Swift Mutex locks nothing")
#endif

@main
struct Ullaged: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ullaged",
    abstract: "Services for the mailboxes of ullage.cf.",
    discussion: "See ullaged(8).",
    version: "ullaged \(Ullage.version)",
    subcommands: [LookupCommand.self, PolicyCommand.self, LMTPCommand.self])

  static func main() async {
    ProcessStart.silenceDispatch()
    await main(nil)
  }
}

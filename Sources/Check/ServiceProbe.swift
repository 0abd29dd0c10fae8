// SPDX-License-Identifier: Apache-2.0
import Findings
import Posix
import Site
import Text

/// A service of `ullaged`, as Postfix reaches it.
struct ServiceProbe {
  /// The command of `ullaged`.
  let service: String
  let site: Site

  /// What the service says first on its socket, after `request` if that is not empty. Postfix's clients run as the user
  /// postfix, so root asks as that user.
  func answer(at socket: Path, to request: String = "") throws(SystemError) -> [UInt8] {
    func ask() throws(SystemError) -> [UInt8] {
      let deadline = Deadline(secondsFromNow: 5)
      let socket = try StreamSocket(unix: socket, until: deadline)
      try socket.send(Array(request.utf8), until: deadline)
      return try socket.receive(upTo: 512, until: deadline)
    }
    guard let user = User(named: "postfix") else { return try ask() }
    return try user.acting(ask)
  }

  /// What makes a service answer that gave this error instead.
  func remedy(for error: SystemError) -> Remedy {
    let unit = "ullaged-\(service)"
    if error.number == Errno.EACCES {
      return .advice("let the user postfix connect: SocketUser= and SocketMode= in \(unit).socket; ullaged(8)")
    }
    return TableFiles.runsSystemd
      ? .run(Command.enable("\(unit).socket", "\(unit).service"))
      : .advice("start ullaged \(service), with --config=\(shellWord(site.configurationFile)): ullaged(8)")
  }
}

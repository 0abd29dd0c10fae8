// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Site
import Text

/// An entry of master.cf that runs `ullage-deliver` through pipe(8), with what its checks look at.
struct Entry {
  let site: Site
  let postfix: PostfixDirectory
  let service: MasterService

  /// `/etc/postfix/master.cf, line 12`
  var place: String { "\(postfix.path)/master.cf, line \(service.line)" }
  var mainFile: String { "\(postfix.path)/main.cf" }

  /// Sets an attribute of pipe(8).
  func set(_ attribute: String, _ value: String) -> Remedy {
    setCommand(service.commandLine(setting: attribute, to: value))
  }

  /// Sets the command of the entry.
  func setCommand(_ line: String) -> Remedy {
    change("-F", "\(service.name)/\(service.type)/command=\(line)")
  }

  /// Sets another field of the entry.
  func setField(_ field: String, _ value: String) -> Remedy {
    change("-F", "\(service.name)/unix/\(field)=\(value)")
  }

  /// A change by postconf(1), and the reload that it needs.
  func change(_ option: String, _ argument: String) -> Remedy {
    .run(postfix.postconf(option, argument), postfix.reload)
  }
}

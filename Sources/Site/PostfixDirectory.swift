// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Findings
import Posix
import Text

/// A directory with main.cf and master.cf, as given to `postconf -c`.
package struct PostfixDirectory: Sendable {
  package let path: String
  package let main: MainFile
  package let master: MasterFile

  package init(_ path: String) throws(PostfixError) {
    let path = Self.absolute(path)
    self.path = path
    main = try Self.read("\(path)/main.cf") { text throws(ConfigurationError) in try MainFile(parsing: text) }
    master = try Self.read("\(path)/master.cf") { text throws(ConfigurationError) in try MasterFile(parsing: text) }
  }

  private static func read<File>(
    _ name: String, _ parse: ([UInt8]) throws(ConfigurationError) -> File
  ) throws(PostfixError) -> File {
    guard let path = Path(name.utf8) else { throw .unreadable(SystemError(.open, name.utf8, Errno.EINVAL)) }
    let text: [UInt8]
    do { text = try Posix.File.contents(of: path, limit: 1 << 20, until: .never) } catch { throw .unreadable(error) }
    do { return try parse(text) } catch { throw .badFile(name, error) }
  }

  /// `path` as an absolute path without trailing slashes.
  package static func absolute(_ path: String) -> String {
    var path = path.hasPrefix("/") ? path : CurrentProcess.directory + "/" + path
    while path.count > 1, path.hasSuffix("/") || path.hasSuffix("/.") { path.removeLast() }
    return path
  }

  /// The option that makes Postfix's commands use this directory; empty for the default one.
  package var option: [String] { path == Self.usual ? [] : ["-c", path] }

  package static let usual = "/etc/postfix"

  /// postconf(1) for this directory.
  package func postconf(_ words: String...) -> Command { Command(words: ["postconf"] + option + words) }

  /// Makes Postfix read its files again.
  package var reload: Command { Command(words: ["postfix"] + option + ["reload"]) }

  /// The check of an ullage.cf beside this directory.
  ///
  /// - Parameter isOther: it is not the file that is in use here, so it is named even if it is the default.
  package func check(_ configurationFile: String, isOther: Bool = false) -> Command {
    let isDefault = configurationFile == Ullage.configurationFile
    let configuration = isDefault && !isOther ? [] : ["--config=\(configurationFile)"]
    return Command(words: ["ullage", "check"] + configuration + (path == Self.usual ? [] : ["--postfix=\(path)"]))
  }

  /// A parameter other than `virtual_transport` that sends mail to a transport.
  package struct OtherTransport: Sendable, Equatable {
    package let parameter: String
    package let value: String
    /// As it stands in main.cf, with its macros.
    package let written: String
    /// The value with another transport, and the same nexthop.
    package let changed: String
  }

  /// The parameters that send mail to virtual(8) beside `virtual_transport`: it has no quota there either.
  ///
  /// - Parameter other: the transport to send it to instead; without a nexthop, theirs stays.
  package func otherTransports(instead other: Transport) throws(ConfigurationError) -> [OtherTransport] {
    var found: [OtherTransport] = []
    for parameter in Self.transportParameters {
      let value = try value(of: parameter) ?? ""
      let transport = value.prefix { $0 != ":" }
      guard virtualTransports.contains(String(transport)) else { continue }
      found.append(
        OtherTransport(
          parameter: parameter, value: value, written: main.entries[parameter]?.value.text ?? value,
          changed: other.nexthop.isEmpty ? other.name + value.dropFirst(transport.count) : other.text))
    }
    return found
  }

  /// The parameters that name a transport, beside `virtual_transport`.
  static let transportParameters = [
    "default_transport", "fallback_transport", "local_transport", "mailbox_transport", "relay_transport",
  ]

  /// The transport names of virtual(8), its default name first.
  package var virtualTransports: [String] {
    ["virtual"] + master.services(running: "virtual").map(\.name).filter { $0 != "virtual" }
  }

  /// The value of a parameter as `service` sees it, every `$name` replaced: `-o` in master.cf overrides
  /// main.cf, which overrides the defaults. Nil if it is not set and no default is known here.
  package func value(
    of name: String, for service: MasterService? = nil
  ) throws(ConfigurationError) -> String? {
    try value(of: name, for: service, seen: [])?.text
  }

  private func value(
    of name: String, for service: MasterService?, seen: Set<String>
  ) throws(ConfigurationError) -> [UInt8]? {
    let entry = main.entries[name]
    let text = service?.overrides[name].map { Array($0.utf8) } ?? entry?.value
    guard let text else {
      return name == "config_directory" ? Array(path.utf8) : Self.defaults[name].map { Array($0.utf8) }
    }
    guard !seen.contains(name) else {
      throw ConfigurationError(line: entry?.line, "$\(name) refers to itself, and Postfix cannot use it either")
    }
    do {
      return try Macro.expand(text, line: entry?.line ?? 0) { other throws(ConfigurationError) in
        // Postfix replaces an undefined name with nothing.
        try value(of: other, for: service, seen: seen.union([name])) ?? []
      }
    } catch {
      guard let service, service.overrides[name] != nil else { throw error }
      throw ConfigurationError("-o \(name) in master.cf, line \(service.line): \(error.message)")
    }
  }

  private static let defaults = [
    "default_process_limit": "100", "command_time_limit": "1000s", "soft_bounce": "no",
    "compatibility_level": "0", "default_destination_recipient_limit": "50", "message_size_limit": "10240000",
    "recipient_delimiter": "",
    "virtual_mailbox_limit": "51200000", "virtual_minimum_uid": "100", "virtual_transport": "virtual",
    "virtual_mailbox_base": "",
  ]
}

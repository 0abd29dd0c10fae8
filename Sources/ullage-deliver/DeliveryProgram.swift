// SPDX-License-Identifier: Apache-2.0
import Configuration
import Delivery
import Posix
import Text

/// One run of `ullage-deliver` by pipe(8): command line, configuration and delivery to one recipient.
struct DeliveryProgram {
  private let arguments: [[UInt8]]
  /// Nil until ullage.cf has said where the log is.
  private var log: DeliveryLog?

  /// - Parameter arguments: those after the program's name.
  init(arguments: [[UInt8]]) {
    self.arguments = arguments
  }

  /// Delivers the message on standard input, and logs the result.
  mutating func run(_ input: consuming PipeInput) -> Verdict {
    var request = DeliveryRequest()
    do throws(ProgramError) {
      do throws(UsageError) { try request.parse(arguments) } catch { throw .usage(error) }
      let settings = try configure(request.configurationFile)
      let delivery = RecipientDelivery(settings, as: Credentials.current, log: log ?? .usual)
      let header = request.deliveredTo.isEmpty ? nil : DeliveredToHeader(request.deliveredTo)
      var source = HeadedSource(input, adding: header)
      return delivery.deliver(&source, to: Recipient(request))
    } catch {
      let verdict = Verdict.trouble(.badConfiguration)
      (log ?? .usual).write(verdict, Recipient(request), .deferred, warnings: [error.sentence])
      return verdict
    }
  }

  /// Reads ullage.cf, and opens the log that it names even if other settings are invalid.
  private mutating func configure(_ name: [UInt8]) throws(ProgramError) -> Settings {
    guard let path = Path(name) else { throw .configuration(file: name, line: nil, message: "the name contains NUL") }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 1 << 20, until: .never) } catch {
      throw .unreadableConfiguration(error)
    }
    let file = ConfigurationFile(parsing: text)
    log = DeliveryLog(SystemLog(socket: file.logSocket, name: file.syslogName))
    let settings: Settings
    do { settings = try Settings(file) } catch {
      throw .configuration(file: name, line: error.line, message: error.message)
    }
    let user = CurrentProcess.effectiveUser
    guard user != 0 else { throw .startedAsRoot }
    guard Int64(user) >= settings.minimumUser else { throw .belowMinimumUser(user) }
    return settings
  }
}

extension DeliveryLog {
  /// Where the log is by default.
  fileprivate static var usual: DeliveryLog {
    DeliveryLog(
      SystemLog(
        socket: Array(Parameter.log_socket.definition.defaultText.utf8),
        name: Array(Parameter.syslog_name.definition.defaultText.utf8)))
  }
}

extension Recipient {
  fileprivate init(_ request: DeliveryRequest) {
    self.init(
      address: request.recipient, addressExtension: request.addressExtension,
      originalAddress: request.originalRecipient, queueID: request.queueID, queueSize: request.size)
  }
}

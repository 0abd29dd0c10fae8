// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
package import Tables
import Text

/// What a parameter of ullage.cf has for an address: asked from the lookup service where `lookup_socket` names one, else
/// from the tables themselves.
package final class AddressLookup {
  private let settings: Settings
  private let tables: TableSet
  private let addressTables: AddressTables
  /// Until they have failed once.
  private var prefersTables: Bool
  /// Why the lookup service was passed over, nil while it answers. It is not asked again then.
  package private(set) var serviceFailure: String?

  /// - Parameter prefersTables: the lookup service, which may hold an old answer, is asked only when the tables fail.
  package init(_ settings: Settings, _ tables: TableSet = TableSet(), prefersTables: Bool = false) {
    self.settings = settings
    self.prefersTables = prefersTables
    self.tables = tables
    addressTables = AddressTables(delimiters: settings.recipientDelimiter, tables)
  }

  /// The value for `address`, or nil when there is none.
  ///
  /// With `lookup_fallback`, the service has 10 seconds, and the tables the rest of the time.
  package func value(
    of parameter: Parameter, for address: [UInt8], until deadline: Deadline
  ) throws(TableError) -> [UInt8]? {
    let references = settings.tables(parameter)
    guard !references.isEmpty else { return nil }
    if settings.lookupService.socket != nil, prefersTables {
      let share = deadline.share(seconds: 10)
      do { return try addressTables.value(in: references, for: address, until: share) } catch {
        // Their files are closed to us, or the database is; the service may be let in.
        prefersTables = false
      }
    }
    if let socket = settings.lookupService.socket, serviceFailure == nil {
      let service = TableReference(lookupService: socket, parameter)
      let share = settings.lookupService.fallsBack ? deadline.share(seconds: 10) : deadline
      do { return try tables.lookup(foldCase(address), in: [service], until: share) } catch {
        guard settings.lookupService.fallsBack else { throw error }
        serviceFailure = error.shown
      }
    }
    return try addressTables.value(in: references, for: address, until: deadline)
  }
}

// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Tables
import Text

/// Looks up the value of a parameter of ullage.cf for an address: from the lookup service if
/// `lookup_socket` names one, else in the tables themselves.
package final class AddressLookup {
  private let settings: Settings
  private let tables: TableSet
  private let addressTables: AddressTables
  private let takesFreshOnly: Bool
  /// False after the tables have failed once.
  private var prefersTables: Bool
  /// What the lookup service has said of an address before it was needed.
  private var fetched: [(parameter: Parameter, answer: Result<[UInt8]?, TableError>)] = []
  private var fetchedAddress: [UInt8] = []
  /// Why the lookup service was skipped, nil while it answers. After a failure it is not queried again.
  package private(set) var serviceFailure: String?

  /// - Parameters:
  ///   - prefersTables: query the lookup service, whose answers may be old, only if the tables fail.
  ///   - takesFreshOnly: the service must not answer from its memory.
  package init(
    _ settings: Settings, _ tables: TableSet = TableSet(), prefersTables: Bool = false, takesFreshOnly: Bool = false
  ) {
    self.takesFreshOnly = takesFreshOnly
    self.settings = settings
    self.prefersTables = prefersTables
    self.tables = tables
    addressTables = AddressTables(delimiters: settings.recipientDelimiter, tables)
  }

  /// The value for the address, or nil if there is none.
  ///
  /// With `lookup_fallback`, the service has 10 seconds, and the tables have the rest of the time.
  package func value(of parameter: Parameter, for query: AddressQuery) throws(TableError) -> [UInt8]? {
    let references = settings.tables(parameter)
    guard !references.isEmpty else { return nil }
    if settings.lookupService.socket != nil, prefersTables {
      do { return try addressTables.value(of: parameter, in: references, for: query.within(seconds: 10)) } catch {
        // We may lack access to their files or database; the service may have it.
        prefersTables = false
      }
    }
    if let socket = settings.lookupService.socket, serviceFailure == nil {
      do {
        if let answer = takeFetched(parameter, query) { return try answer.get() }
        return try ask(socket, [parameter], query)[0].get()
      } catch {
        guard settings.lookupService.fallsBack else { throw error }
        serviceFailure = error.shown
      }
    }
    return try addressTables.value(of: parameter, in: references, for: query)
  }

  /// Asks the lookup service, if it is used, for all of `parameters` that have tables at once: the time is in the way
  /// there and back.
  package func fetch(_ parameters: [Parameter], for query: AddressQuery) {
    guard let socket = settings.lookupService.socket, !prefersTables, serviceFailure == nil else { return }
    let parameters = parameters.filter { !settings.tables($0).isEmpty }
    guard !parameters.isEmpty else { return }
    (fetched, fetchedAddress) = ([], query.address)
    do throws(TableError) {
      let answers = try ask(socket, parameters, query)
      for index in parameters.indices { fetched.append((parameters[index], answers[index])) }
    } catch {
      fetched = [(parameters[0], .failure(error))]
    }
  }

  private func takeFetched(_ parameter: Parameter, _ query: AddressQuery) -> Result<[UInt8]?, TableError>? {
    guard fetchedAddress == query.address, let index = fetched.firstIndex(where: { $0.parameter == parameter }) else {
      return nil
    }
    return fetched.remove(at: index).answer
  }

  private func ask(
    _ socket: [UInt8], _ parameters: [Parameter], _ query: AddressQuery
  ) throws(TableError) -> [Result<[UInt8]?, TableError>] {
    let services = parameters.map { TableReference(lookupService: socket, $0, isFresh: takesFreshOnly) }
    let share = settings.lookupService.fallsBack ? query.within(seconds: 10) : query
    return try tables.lookup(TableQuery(foldCase(query.address), until: share.deadline), inEachOf: services)
  }
}

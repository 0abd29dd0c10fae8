// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Text

#if !hasFeature(Embedded)
  import Synchronization
#endif

/// `texthash:/file`: lines of a key and, after white space, its value (postmap(1)), as they were when it was opened.
///
/// The first keys are searched for in the text: a delivery asks for one or two, and a dictionary of ten thousand lines
/// costs many times what the delivery does.
final class TexthashTable: LookupTable {
  private let name: String
  private let state: Mutex<State>

  private struct State {
    var form: Form
    var searches = 0
  }

  private enum Form {
    case text([UInt8])
    case dictionary(InMemoryTable)
  }

  /// The number of searches before the dictionary is made.
  private static let searches = 8

  init(_ reference: TableReference, until deadline: Deadline) throws(TableError) {
    name = reference.text
    let text = try TableFile.read(reference, limit: 64 << 20, until: deadline)
    // An empty file is taken for one that is just being written.
    guard !text.isEmpty else { throw TableError(.temporary, name, "the file is empty") }
    state = Mutex(State(form: .text(text)))
  }

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? {
    let (form, isFrequent) = state.withLock { state in
      state.searches += 1
      return (state.form, state.searches > Self.searches)
    }
    if case .text(let text) = form, !isFrequent, !query.key.isEmpty {
      let search = TexthashSearch(text)
      if let value = search.value(of: query.key) { return value }
      if search.isWellFormed { return nil }
    }
    return try dictionary(form)[query.key]
  }

  func prepare() throws(TableError) { _ = try dictionary(state.withLock { $0.form }) }

  private func dictionary(_ form: Form) throws(TableError) -> InMemoryTable {
    switch form {
    case .dictionary(let dictionary): return dictionary
    case .text(let text):
      let dictionary = try InMemoryTable(texthash: text, name: name)
      state.withLock { $0.form = .dictionary(dictionary) }
      return dictionary
    }
  }
}

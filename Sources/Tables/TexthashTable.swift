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
  #if !hasFeature(Embedded)
    private let version: FileVersion
  #endif

  private struct State {
    var form: Form
    /// Of a text: whether every entry is a key and a value; nil until a key was not found.
    var isWellFormed: Bool?
    var searches = 0
  }

  private enum Form {
    case text([UInt8])
    case dictionary(InMemoryTable)
  }

  private static let searchesBeforeDictionary = 8

  init(_ reference: TableReference, until deadline: Deadline) throws(TableError) {
    name = reference.text
    #if !hasFeature(Embedded)
      // Before it is read: a change after that is noticed.
      version = FileVersion(of: Path(reference.name))
    #endif
    let text = try TableFile.read(reference, limit: 64 << 20, until: deadline)
    // An empty file is taken for one that is just being written.
    guard !text.isEmpty else { throw TableError(.temporary, name, "the file is empty") }
    state = Mutex(State(form: .text(text)))
  }

  /// Once a malformed line has mattered, the file is read again for the next lookup: it may have been corrected.
  var isOutdated: Bool { state.withLock { $0.isWellFormed == false } }

  #if !hasFeature(Embedded)
    var hasChanged: Bool { FileVersion(of: version.path) != version }
  #endif

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? {
    let known = state.withLock { state in
      state.searches += 1
      return state
    }
    let text: [UInt8]
    switch known.form {
    case .dictionary(let dictionary): return dictionary[query.key]
    case .text(let bytes): text = bytes
    }
    if known.searches > Self.searchesBeforeDictionary, known.isWellFormed != false {
      // A malformed line matters only to a key that is on no other line.
      do { return try makeDictionary(text)[query.key] } catch {}
    }
    guard !query.key.isEmpty else { return nil }
    let search = TexthashSearch(text)
    if let value = search.value(of: query.key) { return value }
    let isWellFormed = known.isWellFormed ?? search.isWellFormed
    state.withLock { $0.isWellFormed = isWellFormed }
    // The error names the malformed line, which may be the key's.
    return isWellFormed ? nil : try makeDictionary(text)[query.key]
  }

  func prepare() throws(TableError) {
    if case .text(let text) = state.withLock({ $0.form }) { _ = try makeDictionary(text) }
  }

  private func makeDictionary(_ text: [UInt8]) throws(TableError) -> InMemoryTable {
    do {
      let dictionary = try InMemoryTable(texthash: text, name: name)
      state.withLock { $0.form = .dictionary(dictionary) }
      return dictionary
    } catch {
      state.withLock { $0.isWellFormed = false }
      throw error
    }
  }
}

#if !hasFeature(Embedded)
  /// What changes with a file, which a service looks at before each lookup: each change of it sets another ctime.
  private struct FileVersion: Equatable {
    let path: Path?
    /// Nil if there was no file.
    let identity: FileIdentity?
    let changed: Timestamp?

    init(of path: Path?) {
      self.path = path
      var status: FileStatus?
      do { status = try path.map { path throws(SystemError) in try stat(path) } } catch {}
      identity = status?.identity
      changed = status?.changed
    }
  }
#endif

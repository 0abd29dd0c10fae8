// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import TestSupport
import Testing
import Text

@testable import Audit

/// Directories and a list in, Maildirs without a mailbox out.
struct TreeWalkTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeDirectory("m")
  }

  private func makeMaildirs(_ names: String...) throws {
    for name in names {
      try sandbox.makeMaildir("m/\(name)")
    }
  }

  /// The Maildirs that the walk finds beside the listed ones. The walk begins a second after they were made: younger
  /// ones may belong to mailboxes that are not in the list yet.
  private func orphans(_ listed: String..., searches: Bool = true) throws -> (found: [String], problems: [String]) {
    var walk = try TreeWalk(
      base: try #require(Path(sandbox("m").utf8)), start: Timestamp.coarse.adding(seconds: 1))
    var found: [String] = []
    for path in listed { walk.advance(to: Array(path.utf8), searches: searches) { found.append($0.text) } }
    walk.advance(to: nil, searches: searches) { found.append($0.text) }
    return (found, walk.problems)
  }

  @Test("Maildirs between, before and after the listed ones are found, in the order of the list")
  func between() throws {
    try makeMaildirs("a.org/x", "b.org/a", "b.org/b", "b.org/c", "c.org/z")
    #expect(try orphans("b.org/a/", "b.org/c/").found == ["a.org/x/", "b.org/b/", "c.org/z/"])
    #expect(try orphans("a.org/x/", "b.org/a/", "b.org/b/", "b.org/c/", "c.org/z/").found == [])
    #expect(try orphans().found == ["a.org/x/", "b.org/a/", "b.org/b/", "b.org/c/", "c.org/z/"])
  }

  @Test("A directory that is replaced by a symlink during the walk leads nowhere")
  func replaced() throws {
    try makeMaildirs("a.org/x", "b.org/y/z")
    try sandbox.makeMaildir("other/y/secret")
    var walk = try TreeWalk(
      base: try #require(Path(sandbox("m").utf8)), start: Timestamp.coarse.adding(seconds: 1))
    var found: [String] = []
    walk.advance(to: Array("a.org/x/".utf8)) { found.append($0.text) }
    try Command.check(["sh", "-ec", "cd \(sandbox("m")); rm -r b.org; ln -s ../other b.org"])
    walk.advance(to: nil) { found.append($0.text) }
    #expect(found == [])
  }

  @Test("Names are in the order of their paths: a directory comes after its name with a character below the slash")
  func order() throws {
    try makeMaildirs("a/x", "a-b/x", "a.b/x", "a0/x")
    // '-' and '.' are below '/', '0' above it.
    #expect(try orphans().found == ["a-b/x/", "a.b/x/", "a/x/", "a0/x/"])
    #expect(try orphans("a-b/x/", "a/x/").found == ["a.b/x/", "a0/x/"])
  }

  @Test("A mailbox inside another one is listed on its own; folders of a mailbox are none")
  func nested() throws {
    try makeMaildirs("a", "a/.Sent", "a/inner", "a/other")
    #expect(try orphans("a/", "a/inner/").found == ["a/other/"])
    #expect(try orphans("a/").found == [])
  }

  @Test("A Maildir that a symlink leads to may be listed by that name")
  func links() throws {
    try makeMaildirs("real/x")
    try sandbox.makeDirectory("m/b")
    try Command.check(["ln", "-s", sandbox("m/real/x"), sandbox("m/b/x")])
    #expect(try orphans("b/x/").found == [])
  }

  @Test("A Maildir that was made after the walk began is no orphan yet")
  func young() throws {
    try makeMaildirs("a")
    var walk = try TreeWalk(base: try #require(Path(sandbox("m").utf8)), start: Timestamp(seconds: 1, nanoseconds: 0))
    var found: [String] = []
    walk.advance(to: nil) { found.append($0.text) }
    #expect(found == [])
  }

  @Test("Maildirs are searched for to a depth of eight directories")
  func depth() throws {
    try makeMaildirs("1/2/3/4/5/6/7/8", "a/2/3/4/5/6/7/8/9")
    #expect(try orphans().found == ["1/2/3/4/5/6/7/8/"])
  }

  @Test("Files, empty directories and half-made Maildirs are none, and a listed mailbox may be missing")
  func others() throws {
    try sandbox.write("m/file", "x")
    try sandbox.makeDirectory("m/empty")
    try sandbox.makeDirectory("m/half/cur")
    let (found, problems) = try orphans("gone/", "half/")
    #expect(found == [] && problems == [])
  }

  @Test("Without a search nothing is found")
  func withoutSearch() throws {
    try makeMaildirs("a", "b")
    #expect(try orphans("b/", searches: false).found == [])
  }
}

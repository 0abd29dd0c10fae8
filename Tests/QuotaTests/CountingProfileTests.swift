// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Quota

/// What each program counts, as measured with the real ones on 100-byte files.
struct CountingProfileTests {
  private static let file: Int64 = 100

  /// The counted size of a 100-byte file called `name`, nil if it is not counted.
  private func bytes(_ name: String, _ profile: CountingProfile) -> Int64? {
    let bytes = Array(name.utf8)
    guard profile.counts(bytes.span), profile.countsTrashed || !MessageFileName.isTrashed(bytes.span) else {
      return nil
    }
    return profile.size(in: bytes.span) ?? Self.file
  }

  @Test(
    "Sizes and flags in names, for Courier, Dovecot, Exim and the common rule",
    arguments: [
      ("a", 100, 100, 100, 100), ("a,S=7:2,S", 7, 7, 7, 7), ("a,S=7,W=9", 7, 7, 7, 7), ("a,W=9,S=7", 7, 7, 7, 7),
      ("a,W=9", 100, 100, 100, 100), ("a,S=", 0, 0, 100, 100), ("a,S=abc", 0, 100, 100, 100),
      ("a,S=12abc", 12, 100, 12, 100), ("a,S=5,S=7", 7, 5, 5, 7), ("a:2,S,S=5", 100, 5, 5, 100),
      ("a:b,S=5:2,S", 100, 5, 5, 100), ("a:2,ST", nil, 100, 100, 100), ("a:2,aT", 100, 100, 100, 100),
      ("a:2,S,T", 100, 100, 100, 100), ("a:1,T", 100, 100, 100, 100), ("a,S=7:2,T", nil, 7, 7, 7),
      (".a", nil, 100, 100, nil), ("..a", nil, nil, 100, nil), ("a,S=0", 0, 0, 0, 100),
    ] as [(String, Int64?, Int64?, Int64?, Int64?)])
  func names(name: String, courier: Int64?, dovecot: Int64?, exim: Int64?, common: Int64?) {
    #expect(bytes(name, .courier) == courier)
    #expect(bytes(name, .dovecot) == dovecot)
    #expect(bytes(name, .exim) == exim)
    #expect(bytes(name, .common) == common)
    #expect(bytes(name, .vda) == Self.file, "VDA stats every file")
  }

  @Test("Only folders in the Maildir itself count, except for Exim and VDA; VDA also counts tmp/")
  func folders() {
    func isFolder(_ name: String, _ profile: CountingProfile) -> Bool { profile.isFolder(Array(name.utf8).span) }
    func holds(_ name: String, _ profile: CountingProfile) -> Bool { profile.holdsMessages(Array(name.utf8).span) }
    for profile in CountingProfile.allCases {
      #expect(isFolder(".A", profile) && isFolder("A", profile) == (profile == .vda))
      #expect(holds("cur", profile) && holds("new", profile) && holds("tmp", profile) == (profile == .vda))
      #expect(!holds(".cur", profile) && profile.nests == (profile == .exim || profile == .vda))
    }
  }

  @Test("Folders are left out by exact name, or together with those below")
  func trash() {
    func leftOut(_ folder: String, _ subfolders: Bool) -> Bool {
      CountingRule(uncountedFolders: [".Trash", ".Junk"].map { Array($0.utf8) }, leavesOutSubfolders: subfolders)
        .leavesOut(Array(folder.utf8))
    }
    for name in [".Trash", ".Junk"] { #expect(leftOut(name, false) && leftOut(name, true)) }
    for name in [".Trash.a", ".Junk.a.b"] { #expect(!leftOut(name, false) && leftOut(name, true)) }
    for name in [".Trashes", ".trash", "Trash", "."] { #expect(!leftOut(name, false) && !leftOut(name, true)) }
  }
}

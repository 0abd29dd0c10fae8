// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// The runtime is linked in: a program whose Swift runtime is missing exits 127, and pipe(8) bounces the message then.
// With it the C++ library that it needs: one reason less to exit 127, and a third of the cost of a start saved.
let staticRuntime: [LinkerSetting] = [
  .unsafeFlags([
    "-static-stdlib", "-L\(Context.packageDirectory)/Sources/CPosix/static", "-Xclang-linker", "-static-libgcc",
  ])
]
// ArgumentParser uses a part of Foundation, which does not name its own parts when it is linked in.
let staticFoundation = ["_FoundationCShims", "_FoundationCollections"].map { LinkerSetting.linkedLibrary($0) }

// Arrows point downwards only; scripts/check compares the imports with this list.
let package = Package(
  name: "ullage",
  products: [
    .executable(name: "ullage-deliver", targets: ["ullage-deliver"]),
    .executable(name: "ullage", targets: ["ullage"]),
    .executable(name: "ullaged", targets: ["ullaged"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.9.0"),
  ],
  targets: [
    .executableTarget(
      name: "ullage-deliver", dependencies: ["Delivery", "Configuration", "Posix", "Text"],
      linkerSettings: staticRuntime),
    .executableTarget(
      name: "ullaged",
      dependencies: [
        "Prometheus", "LookupServer", "PolicyServer", "Policy", "LMTPServer", "LMTP", "Delivery", "Mailboxes",
        "Configuration", "Socketmap",
        "Conversation", "Posix", "Text",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      linkerSettings: staticRuntime + staticFoundation),
    .executableTarget(
      name: "ullage",
      dependencies: [
        "Presentation", "Audit", "Publication", "History", "Check", "Migration", "PolicyServer", "Policy", "Sweep",
        "Site", "Findings", "Mailboxes", "Maildir", "Tables", "Database", "Postgres", "Configuration", "Quota", "Posix",
        "Text",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      linkerSettings: staticRuntime + staticFoundation),
    .target(name: "Prometheus", dependencies: ["Text", .product(name: "CoreMetrics", package: "swift-metrics")]),
    .target(
      name: "Presentation",
      dependencies: [
        "Audit", "Migration", "PolicyServer", "Policy", "Sweep", "Findings", "Aliases", "Mailboxes", "Maildir",
        "Tables", "Configuration", "Quota", "Posix", "Text",
      ]),
    .target(
      name: "Audit",
      dependencies: [
        "Sweep", "Findings", "Mailboxes", "Maildir", "Tables", "Configuration", "Quota", "Posix", "Text",
      ]),
    .target(
      name: "Check",
      dependencies: [
        "Audit", "Publication", "LMTP", "Sweep", "Site", "Findings", "Aliases", "Mailboxes", "Maildir", "Tables",
        "Database",
        "Postgres",
        "Configuration", "Quota", "Posix", "Text",
      ]),
    .target(
      name: "Publication",
      dependencies: ["Tables", "Database", "Postgres", "Configuration", "Quota", "Posix", "Text"]),
    .target(name: "History", dependencies: ["Database", "Postgres", "Posix"]),
    .target(name: "Migration", dependencies: ["Site", "Findings", "Configuration", "Quota", "Posix", "Text"]),
    .target(
      name: "Delivery", dependencies: ["Mailboxes", "Maildir", "Tables", "Configuration", "Quota", "Posix", "Text"]),
    .target(
      name: "LMTPServer",
      dependencies: [
        "LMTP", "Delivery", "Mailboxes", "Maildir", "Tables", "Database", "Configuration", "Quota", "Posix", "Text",
      ]),
    .target(
      name: "LookupServer",
      dependencies: [
        "Aliases", "Mailboxes", "Tables", "Database", "Configuration", "Socketmap", "Conversation", "Cache", "Posix",
        "Text",
      ]),
    .target(
      name: "PolicyServer",
      dependencies: [
        "Policy", "Aliases", "Mailboxes", "Maildir", "Tables", "Database", "Configuration", "Cache", "Quota", "Posix",
        "Text",
      ]),
    .target(name: "Policy", dependencies: ["Conversation", "Text"]),
    .target(name: "LMTP", dependencies: ["Conversation", "Text"]),
    .target(
      name: "Sweep",
      dependencies: [
        "Mailboxes", "Maildir", "Tables", "Database", "Postgres", "Configuration", "Quota", "Posix", "Text",
      ]),
    .target(
      name: "Site",
      dependencies: [
        "Findings", "Tables", "Database", "Postgres", "Configuration", "Posix", "Text",
      ]),
    .target(name: "Findings", dependencies: ["Text"]),
    .target(name: "Aliases", dependencies: ["Mailboxes", "Tables", "Configuration", "Posix", "Text"]),
    .target(name: "Mailboxes", dependencies: ["Tables", "Configuration", "Quota", "Posix", "Text"]),
    .target(name: "Maildir", dependencies: ["Quota", "Posix", "Text"]),
    .target(name: "Tables", dependencies: ["Database", "Postgres", "Configuration", "Socketmap", "Posix", "Text"]),
    .target(name: "Database", dependencies: ["Postgres", "Configuration", "Posix", "Text"]),
    .target(name: "Postgres", dependencies: ["CLibpq", "Posix", "Text"]),
    .target(name: "Configuration", dependencies: ["Quota", "Text"]),
    .target(name: "Posix", dependencies: ["Text", "CPosix"]),
    .target(name: "Quota"),
    .target(name: "Socketmap"),
    .target(name: "Conversation"),
    .target(name: "Cache"),
    .target(name: "Text"),
    .systemLibrary(name: "CLibpq"),
    .target(name: "CPosix", exclude: ["static"], publicHeadersPath: "."),
    .target(name: "TestSupport", dependencies: ["CPosix"], path: "Tests/TestSupport"),
    .testTarget(name: "TextTests", dependencies: ["Text"]),
    .testTarget(name: "QuotaTests", dependencies: ["Quota", "Text"]),
    .testTarget(name: "SocketmapTests", dependencies: ["Socketmap", "TestSupport"]),
    .testTarget(name: "ConfigurationTests", dependencies: ["Configuration", "Quota", "Text", "TestSupport"]),
    .testTarget(name: "PosixTests", dependencies: ["Posix", "Text", "TestSupport"]),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres", "Posix"]),
    .testTarget(
      name: "DatabaseTests", dependencies: ["Database", "Configuration", "Text", "Posix", "Postgres", "TestSupport"]),
    .testTarget(
      name: "TablesTests",
      dependencies: [
        "Tables", "Database", "Configuration", "Posix", "Text", "TestSupport",
      ]),
    .testTarget(
      name: "MailboxesTests",
      dependencies: ["Mailboxes", "Configuration", "Posix", "Quota", "Text", "Tables", "TestSupport"]),
    .testTarget(
      name: "AliasesTests", dependencies: ["Aliases", "Tables", "Configuration", "Posix", "Text", "TestSupport"]),
    .testTarget(name: "MaildirTests", dependencies: ["Maildir", "Posix", "Quota", "Text", "TestSupport"]),
    .testTarget(name: "FindingsTests", dependencies: ["Findings"]),
    .testTarget(
      name: "SiteTests",
      dependencies: [
        "Site", "Findings", "Configuration", "Posix", "Text", "TestSupport",
      ]),
    .testTarget(
      name: "SweepTests",
      dependencies: ["Sweep", "Maildir", "Tables", "Configuration", "Posix", "Quota", "TestSupport"]),
    .testTarget(
      name: "AuditTests",
      dependencies: [
        "Audit", "Sweep", "Findings", "Maildir", "Posix", "Quota", "Text", "TestSupport",
      ]),
    .testTarget(
      name: "CheckTests",
      dependencies: [
        "Check", "Migration", "Site", "Findings", "Configuration", "Posix", "Text", "Quota", "Sweep", "TestSupport",
      ]),
    .testTarget(
      name: "MigrationTests",
      dependencies: ["Migration", "Site", "Findings", "Configuration", "Quota", "Text", "Posix", "TestSupport"]),
    .testTarget(
      name: "LookupServerTests",
      dependencies: [
        "LookupServer", "Mailboxes", "Configuration", "Conversation", "Posix", "Socketmap", "Text", "TestSupport",
      ]),
    .testTarget(
      name: "PrometheusTests", dependencies: ["Prometheus", .product(name: "CoreMetrics", package: "swift-metrics")]),
    .testTarget(name: "CacheTests", dependencies: ["Cache"]),
    .testTarget(
      name: "PolicyServerTests",
      dependencies: [
        "PolicyServer", "Policy", "Aliases", "Mailboxes", "Tables", "Configuration", "Posix", "Quota", "Text",
        "TestSupport",
      ]),
    .testTarget(
      name: "LMTPServerTests",
      dependencies: ["LMTPServer", "Delivery", "Configuration", "Posix", "Text", "TestSupport"]),
    // Optimized even in a debug build: it visits millions of states.
    .target(name: "Schedules", path: "Tests/Schedules", swiftSettings: [.unsafeFlags(["-O"])]),
    .testTarget(name: "ScheduleTests", dependencies: ["Schedules", "TestSupport"]),
    .testTarget(name: "LMTPTests", dependencies: ["LMTP", "Conversation", "Text", "TestSupport"]),
    .testTarget(name: "PolicyTests", dependencies: ["Policy", "Conversation", "Text", "TestSupport"]),
    .testTarget(
      name: "PresentationTests",
      dependencies: [
        "Presentation", "Audit", "Migration", "Sweep", "Findings", "Maildir", "Tables", "Configuration", "Posix",
        "Quota",
      ]),
    .testTarget(
      name: "DeliveryTests",
      dependencies: [
        "Delivery", "Mailboxes", "Maildir", "Tables", "Configuration", "Posix", "Quota", "Text", "TestSupport",
      ]),
    .testTarget(name: "ToolTests", dependencies: ["TestSupport"]),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Audit", "Check", "Sweep", "Site", "Policy", "LMTP", "Aliases", "Tables", "Configuration", "Conversation",
        "Socketmap", "Posix", "Quota", "Text",
      ],
      path: "Tests/Fuzz/Targets"),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"]),
  ],
  swiftLanguageModes: [.v6]
)

// scripts/fuzz
if Context.environment["ULLAGE_FUZZ"] != nil {
  package.products.append(.executable(name: "fuzzer", targets: ["fuzzer"]))
  package.targets.append(
    .executableTarget(
      name: "fuzzer", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Fuzzer",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}

// Tests that start servers of their own; scripts/test installs what they need and sets this.
if Context.environment["ULLAGE_END_TO_END"] != nil {
  package.targets.append(
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["Aliases", "Tables", "Site", "Postgres", "Configuration", "Posix", "Text", "TestSupport"]))
}

for target in package.targets where target.type != .system {
  target.swiftSettings =
    (target.swiftSettings ?? []) + [
      .treatAllWarnings(as: .error),
      .strictMemorySafety(),
      .enableUpcomingFeature("ExistentialAny"),
      .enableUpcomingFeature("InternalImportsByDefault"),
      .enableUpcomingFeature("MemberImportVisibility"),
    ]
}

// The second mode (ARCHITECTURE.md, "Two modes"): ullage-deliver alone, in Embedded Swift. The variable holds the
// directory of the toolchain's libraries for it; scripts/build-deliver finds it.
if let libraries = Context.environment["ULLAGE_EMBEDDED"] {
  let path = [
    "ullage-deliver", "Delivery", "Mailboxes", "Maildir", "Tables", "Database", "Postgres", "Configuration", "Posix",
    "Quota", "Socketmap", "Text", "CLibpq", "CPosix",
  ]
  package.dependencies = []
  package.products.removeAll { !path.contains($0.name) }
  package.targets.removeAll { !path.contains($0.name) }
  for target in package.targets where target.type != .system {
    // The pass object-outliner makes constant arrays global and numbers them. Where a function is compiled into two
    // modules, one may get the other's numbers, and with them wrong constants: a "/" became a NUL (Swift 6.3.1).
    let options = ["-wmo", "-Xllvm", "-sil-disable-pass=object-outliner"]
    target.swiftSettings?.append(contentsOf: [.enableExperimentalFeature("Embedded"), .unsafeFlags(options)])
    if target.type == .executable {
      target.linkerSettings = [
        .unsafeFlags(["-enable-experimental-feature", "Embedded", "-L\(libraries)", "-lswiftUnicodeDataTables"])
      ]
    }
  }
}

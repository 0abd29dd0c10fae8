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
        "Lookup", "Mailboxes", "Configuration", "Socketmap", "Posix", "Text",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      linkerSettings: staticRuntime + staticFoundation),
    .executableTarget(
      name: "ullage",
      dependencies: [
        "Doctor", "Audit", "Migration", "Postfix", "Reports", "Mailboxes", "Tables", "Maildir", "Postgres",
        "Configuration", "Quota", "Posix", "Text",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      linkerSettings: staticRuntime + staticFoundation),
    .target(name: "Delivery", dependencies: ["Mailboxes", "Maildir", "Configuration", "Quota", "Posix", "Text"]),
    .target(
      name: "Audit",
      dependencies: [
        "Reports", "Mailboxes", "Tables", "Maildir", "Postgres", "Configuration", "Quota", "Posix", "Text",
      ]),
    .target(
      name: "Doctor",
      dependencies: [
        "Audit", "Migration", "Postfix", "Reports", "Delivery", "Mailboxes", "Tables", "Maildir", "Postgres",
        "Configuration", "Quota", "Posix", "Text",
      ]),
    .target(
      name: "Migration", dependencies: ["Postfix", "Reports", "Tables", "Postgres", "Configuration", "Posix", "Text"]),
    .target(name: "Postfix", dependencies: ["Reports", "Configuration", "Posix", "Text"]),
    .target(name: "Reports", dependencies: ["Text"]),
    .target(name: "Text"),
    .target(name: "Lookup", dependencies: ["Mailboxes", "Tables", "Configuration", "Socketmap", "Posix", "Text"]),
    .target(name: "Mailboxes", dependencies: ["Tables", "Configuration", "Quota", "Posix", "Text"]),
    .target(name: "Tables", dependencies: ["Postgres", "Configuration", "Socketmap", "Posix", "Text"]),
    .target(name: "Postgres", dependencies: ["CLibpq", "Posix", "Text"]),
    .target(name: "Maildir", dependencies: ["Quota", "Posix", "Text"]),
    .target(name: "Configuration", dependencies: ["Quota", "Text"]),
    .target(name: "Quota"),
    .target(name: "Socketmap"),
    .target(name: "Posix", dependencies: ["Text", "CPosix"]),
    .systemLibrary(name: "CLibpq"),
    .target(name: "TestSupport", path: "Tests/TestSupport"),
    .testTarget(name: "QuotaTests", dependencies: ["Text", "Quota"]),
    .testTarget(name: "SocketmapTests", dependencies: ["Text", "Socketmap"]),
    .testTarget(name: "ConfigurationTests", dependencies: ["Quota", "Text", "Configuration"]),
    .testTarget(name: "PosixTests", dependencies: ["Text", "Posix", "TestSupport"]),
    .testTarget(name: "PostgresTests", dependencies: ["Text", "Postgres"]),
    .testTarget(name: "TablesTests", dependencies: ["Text", "Tables", "Configuration", "Posix", "TestSupport"]),
    .testTarget(
      name: "LookupTests",
      dependencies: ["Text", "Lookup", "Mailboxes", "Configuration", "Socketmap", "Posix", "TestSupport"]),
    .testTarget(name: "MailboxesTests", dependencies: ["Text", "Mailboxes", "Configuration", "Quota", "Posix"]),
    .testTarget(name: "MaildirTests", dependencies: ["Text", "Maildir", "Quota", "Posix", "TestSupport"]),
    .testTarget(name: "DeliveryTests", dependencies: ["Delivery", "Quota", "Text", "TestSupport"]),
    .testTarget(name: "ToolTests", dependencies: ["TestSupport"]),
    .testTarget(name: "DoctorTests", dependencies: ["Text", "Doctor"]),
    .testTarget(name: "ReportsTests", dependencies: ["Reports", "Text"]),
    .systemLibrary(name: "CPosix"),
  ],
  swiftLanguageModes: [.v6]
)

// Tests that start servers of their own; scripts/test installs what they need and sets this.
if Context.environment["ULLAGE_END_TO_END"] != nil {
  package.targets.append(
    .testTarget(name: "EndToEndTests", dependencies: ["Text", "Tables", "Configuration", "Posix", "TestSupport"]))
}

for target in package.targets where target.type != .system {
  target.swiftSettings = [
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
}

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
    .executableTarget(name: "ullage-deliver", dependencies: ["Delivery", "Posix"], linkerSettings: staticRuntime),
    .executableTarget(
      name: "ullaged",
      dependencies: [
        "Lookup", "Mailboxes", "Configuration", "Socketmap", "Posix",
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
        "Doctor", "Audit", "Migration", "Postfix", "Reports", "Mailboxes", "Tables", "Maildir", "Configuration",
        "Quota", "Posix",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      linkerSettings: staticRuntime + staticFoundation),
    .target(name: "Delivery", dependencies: ["Mailboxes", "Maildir", "Configuration", "Quota", "Posix"]),
    .target(
      name: "Audit",
      dependencies: ["Reports", "Mailboxes", "Tables", "Maildir", "Postgres", "Configuration", "Quota", "Posix"]),
    .target(
      name: "Doctor",
      dependencies: [
        "Audit", "Migration", "Postfix", "Reports", "Delivery", "Mailboxes", "Tables", "Maildir", "Postgres",
        "Configuration", "Quota", "Posix",
      ]),
    .target(name: "Migration", dependencies: ["Postfix", "Reports", "Tables", "Postgres", "Configuration", "Posix"]),
    .target(name: "Postfix", dependencies: ["Reports", "Configuration", "Posix"]),
    .target(name: "Reports"),
    .target(name: "Lookup", dependencies: ["Mailboxes", "Tables", "Configuration", "Socketmap", "Posix"]),
    .target(name: "Mailboxes", dependencies: ["Tables", "Configuration", "Quota", "Posix"]),
    .target(name: "Tables", dependencies: ["Postgres", "Configuration", "Socketmap", "Posix"]),
    .target(name: "Postgres", dependencies: ["CLibpq", "Posix"]),
    .target(name: "Maildir", dependencies: ["Quota", "Posix"]),
    .target(name: "Configuration"),
    .target(name: "Quota"),
    .target(name: "Socketmap"),
    .target(name: "Posix", dependencies: ["CPosix"]),
    .systemLibrary(name: "CLibpq"),
    .target(name: "TestSupport", path: "Tests/TestSupport"),
    .testTarget(name: "QuotaTests", dependencies: ["Quota"]),
    .testTarget(name: "SocketmapTests", dependencies: ["Socketmap"]),
    .testTarget(name: "ConfigurationTests", dependencies: ["Configuration"]),
    .testTarget(name: "PosixTests", dependencies: ["Posix", "TestSupport"]),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres"]),
    .testTarget(name: "TablesTests", dependencies: ["Tables", "Configuration", "Posix", "TestSupport"]),
    .testTarget(
      name: "LookupTests", dependencies: ["Lookup", "Mailboxes", "Configuration", "Socketmap", "Posix", "TestSupport"]),
    .testTarget(name: "MailboxesTests", dependencies: ["Mailboxes", "Configuration", "Quota", "Posix"]),
    .testTarget(name: "MaildirTests", dependencies: ["Maildir", "Quota", "Posix", "TestSupport"]),
    .testTarget(name: "DeliveryTests", dependencies: ["Delivery", "Quota", "TestSupport"]),
    .testTarget(name: "ToolTests", dependencies: ["TestSupport"]),
    .testTarget(name: "DoctorTests", dependencies: ["Doctor"]),
    .testTarget(name: "ReportsTests", dependencies: ["Reports"]),
    .systemLibrary(name: "CPosix"),
  ],
  swiftLanguageModes: [.v6]
)

// Tests that start servers of their own; scripts/test installs what they need and sets this.
if Context.environment["ULLAGE_END_TO_END"] != nil {
  package.targets.append(
    .testTarget(name: "EndToEndTests", dependencies: ["Tables", "Configuration", "Posix", "TestSupport"]))
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

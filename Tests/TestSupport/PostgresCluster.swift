// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// A private PostgreSQL server, run as the mail user, on its own socket and loopback port. It is stopped
/// when the test ends.
package final class PostgresCluster: Sendable {
  package let sandbox: Sandbox
  package let port: Int
  private let binaries: String
  private let data: String

  /// - Parameter basis: a cluster to follow as a standby.
  package init(following basis: PostgresCluster? = nil) throws {
    sandbox = try Sandbox()
    data = sandbox("data")
    port = try freePort()
    binaries = try Command.check(["sh", "-c", "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1"])
      .trimmingCharacters(in: .whitespacesAndNewlines)
    if let basis {
      try run("pg_basebackup", "-h", basis.sandbox.path, "-p", "\(basis.port)", "-U", "postgres", "-D", data, "-R")
    } else {
      try run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
    }
    let settings = """
      listen_addresses = '127.0.0.1'
      port = \(port)
      unix_socket_directories = '\(sandbox.path)'
      fsync = off
      logging_collector = off

      """
    try sandbox.write("settings", settings)
    try Command.check(["sh", "-c", "cat \(sandbox("settings")) >> \(data)/postgresql.conf"])
    try start()
  }

  deinit {
    try? stop()
  }

  /// Stops the server and removes its files, for a cluster that no scope owns.
  package func remove() {
    try? stop()
    sandbox.remove()
  }

  package func start() throws {
    try run("pg_ctl", "-D", data, "-l", sandbox("server.log"), "-w", "-t", "60", "start")
  }

  package func stop() throws { try run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop") }

  package func reload() throws { try run("pg_ctl", "-D", data, "reload") }

  /// Replaces pg_hba.conf.
  package func setAccess(_ lines: String) throws {
    try sandbox.write("data/pg_hba.conf", lines)
    try reload()
  }

  @discardableResult
  package func sql(_ text: String, database: String = "postgres") throws -> String {
    try Command.check([
      "\(binaries)/psql", "-h", sandbox.path, "-p", "\(port)", "-U", "postgres", "-d", database, "-v",
      "ON_ERROR_STOP=1",
      "-Atqc", text,
    ])
  }

  private func run(_ program: String, _ arguments: String...) throws {
    try Command.check(["\(binaries)/\(program)"] + arguments, asMailUser: true)
  }

  /// PostfixAdmin's tables as far as mail delivery reads them, with one mailbox.
  package func makePostfixAdmin(quota: Int64) throws {
    try sql(
      """
      CREATE TABLE domain (domain varchar(255) PRIMARY KEY, quota bigint NOT NULL DEFAULT 0,
        maxquota bigint NOT NULL DEFAULT 0, transport varchar(255), backupmx boolean NOT NULL DEFAULT false,
        active boolean NOT NULL DEFAULT true);
      CREATE TABLE mailbox (username varchar(255) PRIMARY KEY, maildir varchar(255) NOT NULL,
        quota bigint NOT NULL DEFAULT 0, domain varchar(255) REFERENCES domain, local_part varchar(255),
        active boolean NOT NULL DEFAULT true);
      CREATE TABLE alias (address varchar(255) PRIMARY KEY, goto text NOT NULL, domain varchar(255),
        active boolean NOT NULL DEFAULT true);
      INSERT INTO domain (domain) VALUES ('example.org');
      INSERT INTO mailbox (username, maildir, quota, domain) VALUES
        ('you@example.org', 'example.org/you/', \(quota), 'example.org');
      INSERT INTO alias (address, goto, domain) VALUES ('you@example.org', 'you@example.org', 'example.org');
      CREATE ROLE postfix LOGIN PASSWORD 'geheim';
      GRANT SELECT ON domain, mailbox, alias TO postfix;
      """)
  }

  /// A table file for Postfix (pgsql_table(5)).
  package func tableFile(_ query: String, hosts: String? = nil, extra: String = "") -> String {
    """
    hosts = \(hosts ?? "unix:\(sandbox.path)")
    user = postfix
    password = geheim
    dbname = \(hosts == nil ? "port=\(port) dbname=postgres" : "postgres")
    query = \(query)
    \(extra)

    """
  }

  package static let limitQuery = "SELECT quota FROM mailbox WHERE username='%s' AND active = '1'"
  package static let pathQuery = "SELECT maildir FROM mailbox WHERE username='%s' AND active = '1'"
}

/// A loopback port for a test's server, returned only once.
///
/// It is below the range of ports for outgoing connections (ip(7), ip_local_port_range): one of those could
/// take it before the server does.
package func freePort() throws -> Int {
  try nextPort.withLock { port in
    while port < 32_000 {
      port += 1
      let script = "import socket; s = socket.socket(); s.bind(('127.0.0.1', \(port)))"
      if try Command.run(["python3", "-c", script]).status == 0 { return port }
    }
    throw TestError("no free port")
  }
}

/// Simultaneous test runs start with different ports.
private let nextPort = Mutex(10_000 + Int(getpid()) % 200 * 100)

// SPDX-License-Identifier: Apache-2.0
import Foundation

/// pgbouncer in transaction mode before a cluster, on a loopback port, until the test ends. All its clients are the
/// superuser there.
package final class PgBouncer {
  package let port: Int
  private let process: Command

  /// - Parameter poolSize: how many connections to the server all clients share.
  package init(_ cluster: PostgresCluster, poolSize: Int = 20, in sandbox: Sandbox) throws {
    port = try freePort()
    try sandbox.write(
      "pgbouncer.ini",
      """
      [databases]
      * = host=\(cluster.sandbox.path) port=\(cluster.port) user=postgres
      [pgbouncer]
      listen_addr = 127.0.0.1
      listen_port = \(port)
      unix_socket_dir =
      auth_type = any
      pool_mode = transaction
      default_pool_size = \(poolSize)
      """)
    process = try Command(
      MailUser.drop + ["pgbouncer", "-q", sandbox("pgbouncer.ini")], input: .file("/dev/null"))
  }

  deinit {
    process.kill(SIGTERM)
    _ = process.wait()
  }
}

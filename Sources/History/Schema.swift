// SPDX-License-Identifier: Apache-2.0
package import Database
import Posix
package import Postgres

/// The schema `ullage`, in which PostgreSQL keeps what only a database can remember.
package enum Schema {
  /// The statements of each version, the first of which is 1. A published version is never changed: what comes later
  /// is a version of its own.
  static let versions: [SQLText] = [
    """
    CREATE TABLE ullage.publication (
      target text,
      host text,
      finished timestamptz NOT NULL,
      mailboxes bigint NOT NULL,
      PRIMARY KEY (target, host)
    );
    COMMENT ON TABLE ullage.publication IS
      'When each host last wrote the usage of all mailboxes that it lists, and to which table';
    """
  ]

  package static var latest: Int { versions.count }

  /// Everything that brings a database from any version to the latest, in one transaction.
  ///
  /// It may be run any number of times, and by several hosts at once.
  ///
  /// - Parameter role: gets what `ullage` needs and no more; nil to grant nothing, for the role that owns the tables.
  package static func script(role: SQLText?) -> SQLText {
    // A superuser may run this in a database that belongs to somebody else, who must not gain rights by it.
    var text: SQLText = """
      BEGIN ISOLATION LEVEL READ COMMITTED;
      SET LOCAL search_path = pg_catalog, pg_temp;
      DO $lock$ BEGIN
      PERFORM pg_advisory_xact_lock(hashtext('ullage'));
      IF EXISTS (SELECT FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner
      WHERE nspname = 'ullage' AND rolname <> current_user) THEN
      RAISE EXCEPTION 'the schema ullage belongs to another role; run this as that role';
      END IF;
      END $lock$;
      CREATE SCHEMA IF NOT EXISTS ullage;
      CREATE TABLE IF NOT EXISTS ullage.version (
        number integer PRIMARY KEY,
        installed timestamptz NOT NULL DEFAULT now()
      );

      """
    for (index, statements) in versions.enumerated() {
      let number = SQLText(String(index + 1))
      text.append(
        """
        DO $version$ BEGIN
        IF NOT EXISTS (SELECT FROM ullage.version WHERE number = \(number)) THEN
        \(statements)
        INSERT INTO ullage.version (number) VALUES (\(number));
        END IF;
        END $version$;

        """)
    }
    if let role {
      text.append(
        """
        GRANT USAGE ON SCHEMA ullage TO \(role);
        GRANT SELECT ON ullage.version TO \(role);
        GRANT SELECT, INSERT, UPDATE ON ullage.publication TO \(role);

        """)
    }
    text.append("COMMIT;\n")
    return text
  }

  /// The version of a database, nil if it has no schema `ullage`.
  package static func version(of connection: PostgresConnection) throws(PostgresError) -> Int? {
    let deadline = Deadline(secondsFromNow: 20)
    let isThere: SQLText = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'ullage' AND tablename = 'version'"
    guard try !connection.query(isThere.bytes, until: deadline).isEmpty else { return nil }
    let rows = try connection.query(Array("SELECT max(number) FROM ullage.version".utf8), until: deadline)
    return rows.first?.first.flatMap { $0 }.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
  }

  /// Brings the database to the latest version.
  package static func install(role: SQLText?, on connection: PostgresConnection) throws(PostgresError) {
    _ = try connection.change(script(role: role).bytes, until: Deadline(secondsFromNow: 120))
  }
}

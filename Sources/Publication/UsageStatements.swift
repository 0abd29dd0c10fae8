// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Database
package import Postgres
import Quota

/// The SQL that writes the usage of mailboxes into a table.
///
/// A missing row is added with zeros, and then changed like the others. It is never added with its figures, nor by an
/// upsert: PostfixAdmin, iRedMail and vmm have triggers that turn an INSERT of a row that is there into an addition.
package struct UsageStatements: Sendable {
  /// The parameter of ullage.cf that gives them.
  let parameter: String
  /// The name under which a completed publication is noted: the table, or the parameter where there are statements.
  let target: [UInt8]
  /// Each of them reads the relation `usage (address, bytes, messages)`.
  private let queries: [SQLText]

  /// - Returns: nil if nothing is written.
  package init?(_ target: UsageSettings.Target) {
    switch target {
    case .nothing: return nil
    case .table(let name):
      parameter = "usage_table"
      self.target = name
      let table = SQLText(name)
      queries = [
        """
        INSERT INTO \(table) (username, bytes, messages) SELECT address, 0, 0 FROM usage \
        WHERE NOT EXISTS (SELECT FROM \(table) AS stored WHERE stored.username = usage.address) ON CONFLICT DO NOTHING
        """,
        """
        UPDATE \(table) AS stored SET bytes = usage.bytes, messages = usage.messages FROM usage \
        WHERE stored.username = usage.address \
        AND (stored.bytes, stored.messages) IS DISTINCT FROM (usage.bytes, usage.messages)
        """,
      ]
    case .queries(let insert, let update):
      parameter = "usage_update_query"
      self.target = Array(parameter.utf8)
      queries = [insert, update].filter { !$0.isEmpty }.map { SQLText(statement: $0) }
    }
  }

  /// The statements for some mailboxes, or for none to find out whether they can be run at all.
  ///
  /// They are sent as one text, which PostgreSQL runs in one transaction, so that pgbouncer may lend another connection
  /// for the next text.
  package func text(
    for mailboxes: [MailboxUsage], on connection: PostgresConnection
  ) throws(PostgresError) -> SQLText {
    // It gives the columns their types, and stands for no mailbox at all.
    var rows: SQLText = "SELECT NULL::text, NULL::bigint, NULL::bigint WHERE false"
    for (index, mailbox) in mailboxes.enumerated() {
      let address = try SQLText.quoted(mailbox.address, for: connection)
      let numbers = SQLText(String(mailbox.usage.bytes) + ", " + String(mailbox.usage.messages))
      let separator: SQLText = index == 0 ? " UNION ALL VALUES" : ","
      rows.append("\(separator) (\(address), \(numbers))")
    }
    return queries.reduce(SQLText("")) { "\($0)WITH usage (address, bytes, messages) AS (\(rows)) \($1); " }
  }
}

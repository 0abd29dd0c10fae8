// SPDX-License-Identifier: Apache-2.0
import Check
import Foundation
import TestSupport
import Testing

/// Output of `doveconf -n`, also from Dovecot 2.4, which is not installed here; its names differ from 2.3.
struct DovecotSettingsTests {
  private static let new = """
    # 2.4.1 (abcdef): /etc/dovecot/dovecot.conf
    dovecot_config_version = 2.4.1
    mail_driver = maildir
    mail_path = ~/Maildir
    mail_plugins {
      quota = yes
    }
    namespace inbox {
      inbox = yes
      mailbox Trash {
        quota_ignore = yes
        special_use = "\\\\Trash"
      }
      mailbox "Deleted Items" {
        quota_ignore = yes
      }
    }
    quota "User quota" {
      driver = maildir
      storage_size = 1 G
    }
    """

  @Test("Dovecot 2.4 writes the usage to the tables of its dictionaries if quota_clone is loaded")
  func clone() {
    let lines = """
      dict_server {
        dict usage {
          driver = sql
          sql_driver = pgsql
          dict_map priv/quota/storage {
            sql_table = quota2
            username_field = username
          }
          dict_map shared/last-login/$service {
            sql_table = last_login
          }
        }
      }
      quota_clone {
        dict proxy {
          name = usage
        }
      }
      """
    func dictionaries(_ text: String) -> [UsageDictionary] { DovecotSettings(parsing: text).usageDictionaries }
    #expect(dictionaries(Self.new + lines) == [])
    let loaded = Self.new.replacing("  quota = yes\n", with: "  quota = yes\n  quota_clone = yes\n") + "\n" + lines
    let expected = dictionaries(loaded)
    #expect(expected.map(\.setting) == ["quota_clone"] && expected.map(\.tables) == [.named(["quota2"])])
  }

  @Test("Dovecot 2.3 writes it by the quota driver dict, and by quota_clone to a dictionary in SQL")
  func dictionaries() {
    let rest = """
      mail_plugins = quota quota_clone
      dict {
        sql = pgsql:/etc/dovecot/map.conf
      }
      """
    func files(_ setting: String) -> [UsageDictionary.Tables] {
      DovecotSettings(parsing: "plugin {\n  \(setting)\n}\n" + rest).usageDictionaries.map(\.tables)
    }
    for setting in [
      "quota_clone_dict = proxy::sql", "quota = dict:User quota::proxy::sql", "quota2 = dict:x::noenforcing:proxy::sql",
    ] {
      #expect(files(setting) == [.inFile("/etc/dovecot/map.conf")], "\(setting)")
    }
    for setting in ["quota_clone_dict = redis:host=127.0.0.1", "quota = dict:x::file:/x", "quota = count:User"] {
      #expect(files(setting) == [], "\(setting)")
    }
  }

  @Test(
    "Dovecot 2.3 reads its rules in order, and stops at the first that is missing",
    arguments: [
      ([], "quota_rule", []), (["quota_rule"], "quota_rule2", []), (["quota_rule2"], "quota_rule", ["quota_rule2"]),
      (["quota_rule", "quota_rule2"], "quota_rule3", []),
      (["quota_rule", "quota_rule3", "quota_rule4"], "quota_rule2", ["quota_rule3", "quota_rule4"]),
    ] as [([String], String, [String])])
  func rules(names: [String], first: String, behind: [String]) {
    let lines = names.map { "  \($0) = Trash:ignore\n" }.joined()
    let settings = DovecotSettings(parsing: "plugin {\n\(lines)}\n")
    #expect(settings.firstMissingRule == first && settings.rulesBehindGap == behind)
  }

  @Test(
    "Dovecot 2.3: the lines that are printed leave no gap, whether the userdb sets quota_rule or not",
    arguments: [
      ([], ["Trash"], ["quota_rule = Trash:ignore", "quota_rule2 = Trash:ignore"]),
      (["quota_rule"], ["Trash"], ["quota_rule2 = Trash:ignore"]),
      (["quota_rule2"], ["Trash"], ["quota_rule = Trash:ignore", "quota_rule3 = Trash:ignore"]),
      (["quota_rule", "quota_rule3"], ["Trash"], ["quota_rule2 = Trash:ignore"]),
      (["quota_rule", "quota_rule4"], ["Trash"], ["quota_rule2 = Trash:ignore", "quota_rule3 = Spam:ignore"]),
      (["quota_rule", "quota_rule4"], [], ["quota_rule2 = Spam:ignore", "quota_rule3 = Spam:ignore"]),
      (["quota_rule", "quota_rule2"], [], []),
    ] as [([String], [String], [String])])
  func printedRules(names: [String], missing: [String], lines: [String]) {
    func settings(_ lines: [String]) -> DovecotSettings {
      DovecotSettings(parsing: "plugin {\n\(lines.joined(separator: "\n"))\n}\n")
    }
    let given = names.map { "\($0) = Spam:ignore" }
    #expect(settings(given).rules(ignoring: missing) == lines)
    #expect(settings(given + lines).rulesBehindGap == [])
  }

  @Test(
    "Dovecot 2.3: the quota plugin is loaded for all, and in each block that has plugins of its own",
    arguments: [
      ("", ["mail_plugins = $mail_plugins quota"]), ("mail_plugins = \" quota\"", []),
      (
        "protocol imap {\nmail_plugins = x\n}\nprotocol lmtp {\nmail_plugins = y\n}\nmail_plugins = quota",
        ["protocol imap {", "  mail_plugins = $mail_plugins quota", "}"]
      ),
      (
        "protocol !lda {\nmail_plugins = x\n}\nmail_plugins = quota",
        ["protocol !lda {", "  mail_plugins = $mail_plugins quota", "}"]
      ),
    ])
  func pluginLines(text: String, lines: [String]) {
    #expect(DovecotSettings(parsing: text).pluginLines(for: ["imap"]) == lines)
    #expect(DovecotSettings(parsing: text).pluginLines(for: []) == [])
  }

  @Test("Dovecot 2.4: a mailbox is named within the namespace of the inbox, which may have any name")
  func namespace24() {
    let settings = DovecotSettings(
      parsing:
        "dovecot_config_version = 2.4.0\nnamespace other {\n  prefix = INBOX/\n  separator = /\n  inbox = yes\n}\n")
    #expect(settings.inboxBlock == "namespace other" && settings.mailbox(inDirectory: ".Trash.Old") == "Trash/Old")
  }

  @Test("Dovecot 2.4: driver, trash, plugin")
  func version24() {
    let settings = DovecotSettings(parsing: Self.new)
    #expect(settings.hasQuota && settings.quotaDrivers == ["maildir"])
    #expect(settings.uncountedFolders == [".Trash", ".Deleted Items"])
    #expect(settings.controlDirectory == nil && settings.layout == nil)
  }

  @Test("Dovecot 2.4: the default driver is count; mail_control_path and mailbox_list_layout are read")
  func places24() {
    let text =
      Self.new.replacing("  driver = maildir\n", with: "")
      + "\nmail_control_path = /var/control/%{user}\nmailbox_list_layout = fs\n"
    let settings = DovecotSettings(parsing: text)
    #expect(settings.quotaDrivers == ["count"])
    #expect(settings.controlDirectory == "/var/control/%{user}" && settings.layout == "fs")
    #expect(!DovecotSettings(parsing: Self.new.replacing("quota = yes", with: "acl = yes")).hasQuota)
  }

  @Test("Dovecot 2.4: the example of the package has the maildir driver, and leaves out the trash")
  func example24() throws {
    let settings = DovecotSettings(parsing: try Project.text("scripts/package.d/examples/dovecot-2.4.conf"))
    #expect(settings.hasQuota && settings.quotaDrivers == ["maildir"] && settings.mailFormat == "maildir")
    #expect(settings.uncountedFolders == [".Trash"] && settings.controlDirectory == nil && settings.layout == nil)
  }

  @Test("Dovecot 2.3: several roots, a plugin for one protocol only, a folder below another")
  func version23() {
    let settings = DovecotSettings(
      parsing: """
        mail_location = maildir:~/Maildir:INDEX=/var/index:CONTROL=/var/control/%u
        plugin {
          quota = count:User quota
          quota2 = maildir:Old quota
          quota_rule = *:storage=1G
          quota_rule2 = Trash/Old:ignore
          quota_rule3 = Sent:storage=+10M
          quota_warning = storage=95%% quota-warning 95 %u
        }
        namespace inbox {
          inbox = yes
          separator = /
        }
        protocol imap {
          mail_plugins = " quota imap_quota"
        }
        """)
    #expect(settings.hasQuota && settings.quotaDrivers == ["count", "maildir"])
    #expect(settings.uncountedFolders == [".Trash.Old"] && settings.controlDirectory == "/var/control/%u")
  }
}

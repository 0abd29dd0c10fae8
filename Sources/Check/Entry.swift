// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// An entry of master.cf that delivers, with what its checks look at: most of it is for one that runs `ullage-deliver`
/// through pipe(8).
struct Entry {
  let site: Site
  let postfix: PostfixDirectory
  let service: MasterService

  /// `/etc/postfix/master.cf, line 12`
  var place: String { "\(postfix.path)/master.cf, line \(service.line)" }
  var mainFile: String { "\(postfix.path)/main.cf" }

  /// The value of a parameter, as the entry sees it or, without `isOwn`, as main.cf has it; empty when it is not set. A
  /// value that Postfix cannot use either is a finding.
  func value(_ name: String, isOwn: Bool, _ found: inout FindingList) -> String {
    do { return try postfix.value(of: name, for: isOwn ? service : nil) ?? "" } catch {
      found.add(
        .error, .postfixDirectory, error.message, at: error.line.map { "\(mainFile), line \($0)" } ?? place,
        reason: "Postfix cannot use the value of \(name)", remedy: .advice("correct that line"))
      return ""
    }
  }

  /// The limit of recipients in a delivery, which qmgr(8) reads from main.cf: the entry's -o has no effect on it.
  var recipientLimitName: String { "\(service.name)_destination_recipient_limit" }

  func recipientLimit(_ found: inout FindingList) -> String {
    let own = value(recipientLimitName, isOwn: false, &found)
    return own.isEmpty ? value("default_destination_recipient_limit", isOwn: false, &found) : own
  }

  func isChrooted(_ found: inout FindingList) -> Bool {
    service.isChrooted(atLevel: value("compatibility_level", isOwn: false, &found))
  }

  /// The database leaves us `available` connections, and whoever delivers may want more than half of them.
  ///
  /// - Parameters:
  ///   - count: of connections; nil for any number.
  ///   - text: the same as a sentence, without its end.
  func checkConnections(
    _ count: Int64?, _ text: String, of available: Int64, at place: String, otherwise: String = "", remedy: Remedy,
    _ found: inout FindingList
  ) {
    if let count, count < available {
      guard count * 2 > available else { return }
      found.add(
        .warning, .processLimit, "\(text), more than half of PostgreSQL's \(available)", at: place,
        reason: "Postfix itself, the IMAP server and the panel need connections, too" + otherwise, remedy: remedy)
    } else {
      found.add(
        .error, .processLimit, "\(text), but PostgreSQL has only \(available) in all", at: place,
        reason: "in a burst of mail others find no connection, and mail is deferred" + otherwise, remedy: remedy)
    }
  }

  /// What is printed last: the commands for the other findings keep the entry's options.
  func checkSoftBounce(_ found: inout FindingList) {
    guard value("soft_bounce", isOwn: true, &found).lowercased() == "yes" else { return }
    let isOwn = service.overrides["soft_bounce"] != nil
    found.add(
      .warning, .softBounce, "soft_bounce is on", at: isOwn ? place : mainFile,
      reason: "fine for the first days: refusals become deferrals, and mail for unknown mailboxes fills the queue",
      remedy: isOwn ? change("-PX", "\(service.name)/unix/soft_bounce") : change("-X", "soft_bounce"))
  }

  /// The entry as the manual gives it, with what is this site's own: its options, its configuration file, its program,
  /// and its user where that can be right. One command mends every mistake in it, so it can be run for any of them.
  var correction: Remedy { .run(corrections) }

  private var corrections: [Command] { commands(running: service.program.first ?? MasterEntry.program) }

  /// The same, after the user has been made if there is none. Only one finding may have it: it can be run once.
  var correctionOfUser: Remedy {
    let makesUser = rightUser == "vmail" && User(named: "vmail") == nil
    return .run((makesUser ? [makeUser] : []) + corrections)
  }

  /// useradd(8) gives a system user an id from 100 to 999.
  private var makeUser: Command {
    let least = site.settings?.minimumUser ?? 100
    return Command(
      words: ["useradd"] + (least <= 100 ? ["--system"] : ["--key", "UID_MIN=\(least)"])
        + (Group.id(of: "vmail") == nil ? ["--user-group"] : ["--gid", "vmail"])
        + ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", "vmail"])
  }

  /// The commands of `correction`, with another program.
  func commands(running program: String) -> [Command] {
    let file = EntryCheck.configurationFile(of: service)
    let attributes = [("flags", MasterEntry.flags), ("user", rightUser), ("null_sender", "")]
    let words =
      [program]
      + (file == Ullage.configurationFile ? [] : ["--config=\(file)"]) + MasterEntry.arguments
    let times = Dictionary(uniqueKeysWithValues: shortTimes.map { ($0, EntryCheck.usualTime) })
    let line = service.commandLine(setting: attributes, options: times, running: words)
    return [postfix.postconf("-F", "\(service.name)/\(service.type)/command=\(line)"), postfix.reload]
  }

  /// The time limits among the entry's options that are too short, or no time.
  var shortTimes: [String] {
    ["\(service.name)_time_limit", "command_time_limit"].filter { name in
      guard service.overrides[name] != nil, let settings = site.settings else { return false }
      do {
        let value = try postfix.value(of: name, for: service) ?? ""
        return postfixSeconds(value).map { $0 < settings.deliveryTimeLimit + EntryCheck.margin } ?? true
      } catch { return false }
    }
  }

  /// The user of the entry if Postfix and ullage.cf let it deliver, else the one of the check, else the owner of the
  /// base.
  private var rightUser: String {
    let least = max(1, site.settings?.minimumUser ?? 100)
    if let name = service.attributes["user"], let user = User(ofEntry: name), Int64(user.id) >= least { return name }
    if let user = site.user, Int64(user.id) >= least { return user.name }
    guard let base = Path(site.settings?.mailboxBase ?? []) else { return "vmail" }
    do throws(SystemError) {
      let owner = try stat(base).owner
      return User(id: owner).flatMap { Int64(owner) >= least ? $0.name : nil } ?? "vmail"
    } catch { return "vmail" }
  }

  /// Sets another field of the entry.
  func setField(_ field: String, _ value: String) -> Remedy {
    change("-F", "\(service.name)/unix/\(field)=\(value)")
  }

  /// A change by postconf(1), and the reload that it needs.
  func change(_ option: String, _ argument: String) -> Remedy {
    .run(postfix.postconf(option, argument), postfix.reload)
  }
}

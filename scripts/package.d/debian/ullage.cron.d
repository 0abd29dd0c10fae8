# /etc/cron.d/ullage: the nightly audit, where systemd does not run (with it, ullage-audit.timer does the same).
# The report is mailed to root; with --quiet there is none when nothing was found.
# It does nothing without the program (when the package was removed, but not purged) or without a configuration.
# flock prevents a second audit while one is still running. /var/lib/ullage belongs to vmail.
SHELL=/bin/sh
PATH=/usr/local/bin:/usr/bin:/bin
MAILTO=root

17 2 * * *  vmail  [ -d /run/systemd/system ] || ! command -v ullage >/dev/null || ! grep -qs '^virtual_mailbox_base' /etc/ullage/ullage.cf || flock -n -E 0 /var/lib/ullage/audit.lock nice -n 19 ionice -c 3 ullage audit --quiet --repair --clean-tmp --ignore mailbox-without-maildir --state /var/lib/ullage/audit.state 2>&1 | /usr/libexec/ullage/mail-report root

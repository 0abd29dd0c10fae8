// SPDX-License-Identifier: Apache-2.0
// usage: floor MAILDIR < message
//
// The least that a delivery by pipe(8) can be, as a measure for scripts/bench: an unnamed file, its sync, a name in
// new/, the sync of new/. It has no quota, no lookup, no log, and no errors but exit status 75.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static char buffer[65536];

int main(int count, char **arguments) {
  int maildir = count == 2 ? open(arguments[1], O_RDONLY | O_DIRECTORY) : -1;
  int message = openat(maildir, "tmp", O_TMPFILE | O_WRONLY, 0600);
  int new = openat(maildir, "new", O_RDONLY | O_DIRECTORY);
  if (message < 0 || new < 0) return 75;
  ssize_t length;
  while ((length = read(0, buffer, sizeof buffer)) > 0)
    if (write(message, buffer, length) != length) return 75;
  if (length < 0 || fsync(message) != 0) return 75;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char source[64], name[64];
  snprintf(source, sizeof source, "/proc/self/fd/%d", message);
  snprintf(name, sizeof name, "%ld.M%ldP%d.bench", (long)now.tv_sec, now.tv_nsec / 1000, getpid());
  if (linkat(AT_FDCWD, source, new, name, AT_SYMLINK_FOLLOW) != 0 || fsync(new) != 0) return 75;
  _exit(0);
}

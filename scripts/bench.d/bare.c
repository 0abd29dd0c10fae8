// SPDX-License-Identifier: Apache-2.0
// usage: bare DIRECTORY THREADS MESSAGES BYTES MAILBOXES
//
// The machine's limit for deliveries: so many threads write, sync, link, append a line, and sync the directory, in the
// Maildirs user0, user1 and so on, and do nothing else. Prints the seconds it took.

#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int messages, bytes, mailboxes;
static atomic_int next;
static char *message;
static int *maildirs, *news, *ledgers;

static void *run(void *unused)
{
  char name[100], source[50];
  int number;
  while ((number = next++) < messages) {
    int mailbox = number % mailboxes;
    int file = openat(maildirs[mailbox], "tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0 || write(file, message, bytes) != bytes || fsync(file) < 0)
      err(1, "write");
    sprintf(source, "/proc/self/fd/%d", file);
    sprintf(name, "%ld.M%dP%d.bare,S=%d", (long)time(NULL), number, getpid(), bytes);
    if (write(ledgers[mailbox], "4096 1\n", 7) != 7)
      err(1, "append");
    if (linkat(AT_FDCWD, source, news[mailbox], name, AT_SYMLINK_FOLLOW) < 0)
      err(1, "linkat");
    close(file);
    if (fsync(news[mailbox]) < 0)
      err(1, "fsync");
  }
  return unused;
}

int main(int count, char **arguments)
{
  if (count != 6)
    errx(2, "usage: bare DIRECTORY THREADS MESSAGES BYTES MAILBOXES");
  int threads = atoi(arguments[2]);
  messages = atoi(arguments[3]), bytes = atoi(arguments[4]), mailboxes = atoi(arguments[5]);
  message = malloc(bytes);
  memset(message, 'x', bytes);
  maildirs = calloc(mailboxes, sizeof(int)), news = calloc(mailboxes, sizeof(int));
  ledgers = calloc(mailboxes, sizeof(int));
  for (int mailbox = 0; mailbox < mailboxes; mailbox++) {
    char path[1000];
    snprintf(path, sizeof path, "%s/user%d", arguments[1], mailbox);
    maildirs[mailbox] = open(path, O_RDONLY | O_DIRECTORY);
    news[mailbox] = openat(maildirs[mailbox], "new", O_RDONLY | O_DIRECTORY);
    ledgers[mailbox] = openat(maildirs[mailbox], "maildirsize", O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (maildirs[mailbox] < 0 || news[mailbox] < 0 || ledgers[mailbox] < 0)
      err(1, "open %s", path);
  }
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pthread_t workers[threads];
  for (int index = 0; index < threads; index++)
    pthread_create(&workers[index], NULL, run, NULL);
  for (int index = 0; index < threads; index++)
    pthread_join(workers[index], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.3f\n", end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9);
  return 0;
}

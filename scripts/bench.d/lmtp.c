// SPDX-License-Identifier: Apache-2.0
// usage: lmtp SOCKET SESSIONS MESSAGES BYTES MAILBOXES RECIPIENTS
//
// Hands messages to an LMTP service as Postfix does, pipelining, on so many connections at once. Each message is for
// RECIPIENTS of the addresses user0@example.org, user1@example.org and so on. Prints the seconds it took.

#define _GNU_SOURCE
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *path;
static int messages, bytes, mailboxes, recipients;
static atomic_int next;
static char *message;
static size_t length;

struct session {
  int socket;
  char buffer[1 << 16];
  size_t begin, end;
};

// The code of the next reply.
static int reply(struct session *session)
{
  for (;;) {
    char *line = session->buffer + session->begin;
    char *end = memchr(line, '\n', session->end - session->begin);
    if (end) {
      session->begin = end + 1 - session->buffer;
      if (end - line > 3 && line[3] == '-')
        continue;
      return atoi(line);
    }
    memmove(session->buffer, line, session->end - session->begin);
    session->end -= session->begin;
    session->begin = 0;
    ssize_t count = read(session->socket, session->buffer + session->end, sizeof session->buffer - session->end);
    if (count <= 0)
      errx(1, "the service hung up");
    session->end += count;
  }
}

static void expect(struct session *session, int code)
{
  int got = reply(session);
  if (got != code)
    errx(1, "got %d, expected %d", got, code);
}

static void send_all(int socket, const char *text, size_t size)
{
  while (size > 0) {
    ssize_t done = write(socket, text, size);
    if (done <= 0)
      err(1, "write");
    text += done;
    size -= done;
  }
}

static void *run(void *unused)
{
  struct session *session = calloc(1, sizeof *session);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  session->socket = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(session->socket, (struct sockaddr *)&address, sizeof address) < 0)
    err(1, "connect %s", path);
  expect(session, 220);
  send_all(session->socket, "LHLO bench\r\n", 12);
  expect(session, 250);
  char *commands = malloc(100 + 60 * recipients);
  int number;
  while ((number = next++) < messages) {
    int size = sprintf(commands, "MAIL FROM:<sender@example.net>\r\n");
    for (int copy = 0; copy < recipients; copy++)
      size += sprintf(commands + size, "RCPT TO:<user%d@example.org>\r\n", (number * recipients + copy) % mailboxes);
    size += sprintf(commands + size, "DATA\r\n");
    send_all(session->socket, commands, size);
    for (int copy = 0; copy <= recipients; copy++)
      expect(session, 250);
    expect(session, 354);
    send_all(session->socket, message, length);
    for (int copy = 0; copy < recipients; copy++)
      expect(session, 250);
  }
  return unused;
}

int main(int count, char **arguments)
{
  if (count != 7)
    errx(2, "usage: lmtp SOCKET SESSIONS MESSAGES BYTES MAILBOXES RECIPIENTS");
  path = arguments[1];
  int sessions = atoi(arguments[2]);
  messages = atoi(arguments[3]), bytes = atoi(arguments[4]);
  mailboxes = atoi(arguments[5]), recipients = atoi(arguments[6]);
  message = malloc(bytes + 100);
  length = sprintf(message, "Return-Path: <sender@example.net>\r\nReceived: by mx id 4Abc; now\r\n\r\n");
  while (length < (size_t)bytes) {
    memset(message + length, 'x', 70);
    memcpy(message + length + 70, "\r\n", 2);
    length += 72;
  }
  length += sprintf(message + length, ".\r\n");
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pthread_t threads[sessions];
  for (int index = 0; index < sessions; index++)
    pthread_create(&threads[index], NULL, run, NULL);
  for (int index = 0; index < sessions; index++)
    pthread_join(threads[index], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.3f\n", end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9);
  return 0;
}

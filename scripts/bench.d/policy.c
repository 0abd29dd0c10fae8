/* SPDX-License-Identifier: Apache-2.0
 *
 * Load for a policy service: CONNECTIONS kept connections, each with one request at a time, for the recipients
 * PREFIX0@DOMAIN to PREFIX(N-1)@DOMAIN in turn.
 *
 * usage: policy SOCKET CONNECTIONS REQUESTS RATE PREFIX N DOMAIN
 *
 * RATE is the number of requests per second, sent at fixed times whether or not answers are slow; 0 for as many as
 * possible. A request that finds no free connection waits, and that counts. Prints: answers per second, the 50th and
 * 99th percentile and the maximum of the time to an answer in milliseconds, and the number of answers that were not
 * DUNNO. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  int connections = atoi(argv[2]), requests = atoi(argv[3]), recipients = atoi(argv[6]);
  double rate = atof(argv[4]);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  struct pollfd *polled = calloc(connections, sizeof *polled);
  double *due = calloc(connections, sizeof *due), *times = calloc(requests, sizeof *times);
  char(*text)[1024] = calloc(connections, sizeof *text);
  size_t *length = calloc(connections, sizeof *length);
  for (int i = 0; i < connections; i++) {
    polled[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(polled[i].fd, (struct sockaddr *)&address, sizeof address) < 0) fail(argv[1]);
  }
  int sent = 0, done = 0, refused = 0;
  double start = now();
  while (done < requests) {
    for (int i = 0; i < connections && sent < requests; i++) {
      if (polled[i].events) continue;
      double time = rate > 0 ? start + sent / rate : now();
      if (time > now()) break;
      char request[2048];
      int size = snprintf(request, sizeof request,
          "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.7\n"
          "client_name=mail.example.net\nhelo_name=mail.example.net\nsender=me@example.net\n"
          "recipient=%s%d@%s\nrecipient_count=0\nqueue_id=\ninstance=%d.1\nsize=4096\netrn_domain=\nstress=\n"
          "sasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n"
          "encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n",
          argv[5], sent % recipients, argv[7], sent);
      due[i] = time;
      if (write(polled[i].fd, request, size) != size) fail("write");
      polled[i].events = POLLIN;
      length[i] = 0;
      sent++;
    }
    double wait = rate > 0 && sent < requests ? start + sent / rate - now() : 60;
    if (wait < 0) wait = sent - done < connections ? 0 : 60;
    struct timespec timeout = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (time_t)wait) * 1e9)};
    if (ppoll(polled, connections, &timeout, NULL) < 0 && errno != EINTR) fail("poll");
    for (int i = 0; i < connections; i++) {
      if (!polled[i].events || !polled[i].revents) continue;
      ssize_t count = read(polled[i].fd, text[i] + length[i], sizeof text[i] - 1 - length[i]);
      if (count <= 0) fail("read");
      length[i] += count;
      text[i][length[i]] = 0;
      if (!strstr(text[i], "\n\n")) continue;
      refused += strncmp(text[i], "action=DUNNO", 12) != 0;
      times[done++] = now() - due[i];
      polled[i].events = 0;
    }
  }
  double seconds = now() - start;
  qsort(times, requests, sizeof *times, compare);
  printf("%.0f %.3f %.3f %.3f %d\n", requests / seconds, times[requests / 2] * 1e3, times[(int)(requests * 0.99)] * 1e3,
      times[requests - 1] * 1e3, refused);
  return 0;
}

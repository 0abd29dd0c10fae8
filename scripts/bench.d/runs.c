// SPDX-License-Identifier: Apache-2.0
// usage: runs COUNT MESSAGE COMMAND... [--- COMMAND...]...
//
// Runs the commands in turn, COUNT times each, as pipe(8) runs a delivery: fork and exec, with the file MESSAGE (at
// most 64 KB) on a pipe. Prints a line for each command: the medians of its processor time and elapsed time in
// milliseconds and of its page faults (wait4(2)). A command that fails ends everything.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 16, WARM_UP = 3 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double milliseconds(struct timeval time) { return time.tv_sec * 1e3 + time.tv_usec / 1e3; }

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static double median(double *values, int count) {
  qsort(values, count, sizeof *values, compare);
  return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void run(char **command, const char *message, size_t length, double result[3]) {
  int ends[2], status;
  struct rusage usage;
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
  double start = now();
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(ends[0], 0);
    dup2(null, 1);
    execv(command[0], command);
    _exit(127);
  }
  close(ends[0]);
  ssize_t written = write(ends[1], message, length);
  close(ends[1]);
  if (wait4(child, &status, 0, &usage) != child) fail("wait4");
  if (status != 0 || written != (ssize_t)length) {
    fprintf(stderr, "runs: %s ended with wait status %d\n", command[0], status);
    exit(1);
  }
  result[0] = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
  result[1] = now() - start;
  result[2] = usage.ru_minflt + usage.ru_majflt;
}

int main(int argc, char **argv) {
  static char message[65536];
  char **commands[LARGEST];
  if (argc < 4) return 64;
  int count = atoi(argv[1]), file = open(argv[2], O_RDONLY | O_CLOEXEC), number = 0;
  if (count < 1) return 64;
  if (file < 0) fail(argv[2]);
  // A command that ends before it has read its input is reported below.
  signal(SIGPIPE, SIG_IGN);
  ssize_t length = read(file, message, sizeof message);
  if (length <= 0) fail(argv[2]);
  commands[number++] = &argv[3];
  for (int index = 3; index < argc; index++) {
    if (strcmp(argv[index], "---") != 0) continue;
    argv[index] = NULL;
    if (number == LARGEST) return 64;
    commands[number++] = &argv[index + 1];
  }
  double *values = calloc((size_t)number * 3 * count, sizeof *values), result[3];
  if (values == NULL) fail("calloc");
  for (int round = -WARM_UP; round < count; round++)
    for (int place = 0; place < number; place++) {
      // There and back: what one command leaves behind in the caches meets either neighbour.
      int index = round & 1 ? number - 1 - place : place;
      run(commands[index], message, length, result);
      for (int kind = 0; kind < 3 && round >= 0; kind++) values[(index * 3 + kind) * count + round] = result[kind];
    }
  for (int index = 0; index < number; index++)
    printf("%.3f %.3f %.0f\n", median(&values[index * 3 * count], count),
           median(&values[(index * 3 + 1) * count], count), median(&values[(index * 3 + 2) * count], count));
  return 0;
}

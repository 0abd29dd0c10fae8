// SPDX-License-Identifier: Apache-2.0
// The C library as the target Posix sees it, in ordinary and in Embedded Swift, which has no module Glibc: the headers,
// and what Swift cannot take from them.
#ifndef CPOSIX_H
#define CPOSIX_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/stat.h>
#include <linux/types.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The arguments of main(), those of the program itself included (arguments.c).
int cposix_argument_count(void);
const char *cposix_argument(int index);

// errno(3) and environ(7), which are macros or variables of the C library
static inline int cposix_errno(void) { return errno; }
extern char **environ;
static inline char **cposix_environ(void) { return environ; }

// signal(2): casts, which Swift does not import
static inline __sighandler_t cposix_SIG_DFL(void) { return SIG_DFL; }
static inline __sighandler_t cposix_SIG_IGN(void) { return SIG_IGN; }

// open(2), fcntl(2) and ioctl(2), which take a varying number of arguments
static inline int cposix_open(const char *name, int flags, mode_t mode) { return open(name, flags, mode); }
static inline int cposix_openat(int directory, const char *name, int flags, mode_t mode) {
  return openat(directory, name, flags, mode);
}
static inline int cposix_fcntl(int descriptor, int command, int argument) {
  return fcntl(descriptor, command, argument);
}
static inline int cposix_fcntl_lock(int descriptor, int command, struct flock *lock) {
  return fcntl(descriptor, command, lock);
}
static inline int cposix_window_size(int descriptor, struct winsize *size) {
  return ioctl(descriptor, TIOCGWINSZ, size);
}

// renameat2(2)
#define CPOSIX_RENAME_NOREPLACE 1u
#define CPOSIX_RENAME_EXCHANGE 2u
int renameat2(int old_directory, const char *old_name, int new_directory, const char *new_name, unsigned int flags);

// statx(2)
#define CPOSIX_AT_EMPTY_PATH 0x1000
int statx(int directory, const char *name, int flags, unsigned int mask, struct statx *result);

// getdents64(2)
long getdents64(int descriptor, void *buffer, size_t size);

// open(2): the flag that Glibc hides; it holds O_DIRECTORY (x86 and the generic layout).
#if defined(__arm__) || defined(__aarch64__)
#define CPOSIX_O_DIRECTORY 040000
#else
#define CPOSIX_O_DIRECTORY 0200000
#endif
#define CPOSIX_O_TMPFILE (020000000 | CPOSIX_O_DIRECTORY)
#define CPOSIX_O_PATH 010000000

// memfd_create(2)
#define CPOSIX_MFD_CLOEXEC 1u
int memfd_create(const char *name, unsigned int flags);

// pidfd_open(2), which C libraries before glibc 2.36 lack.
static inline int cposix_pidfd_open(int process) {
  return (int)syscall(SYS_pidfd_open, process, 0);
}

// process_mrelease(2), Linux 5.15; its number is the same on all architectures that Swift has.
static inline int cposix_process_mrelease(int descriptor) {
  return (int)syscall(448, descriptor, 0);
}

// posix_spawn(3), glibc 2.34. The argument is a posix_spawn_file_actions_t *.
int posix_spawn_file_actions_addclosefrom_np(void *actions, int from);

// syncfs(2)
int syncfs(int descriptor);

// pipe2(2)
int pipe2(int ends[2], int flags);

// setresuid(2), setresgid(2)
int setresuid(unsigned int real, unsigned int effective, unsigned int saved);
int setresgid(unsigned int real, unsigned int effective, unsigned int saved);

// seteuid(2), setegid(2) and setgroups(2) for the calling thread alone: the kernel keeps credentials per thread, and
// the C library's functions change those of all threads (nptl(7)). 32-bit systems have two versions of each call.
#ifdef SYS_setresuid32
#define CPOSIX_CALL(name) SYS_##name##32
#else
#define CPOSIX_CALL(name) SYS_##name
#endif
static inline int cposix_thread_seteuid(unsigned int user) {
  return (int)syscall(CPOSIX_CALL(setresuid), -1, user, -1);
}
static inline int cposix_thread_setegid(unsigned int group) {
  return (int)syscall(CPOSIX_CALL(setresgid), -1, group, -1);
}
static inline int cposix_thread_setgroups(size_t count, const unsigned int *groups) {
  return (int)syscall(CPOSIX_CALL(setgroups), count, groups);
}

// fcntl(2), open file description locks
#define CPOSIX_F_OFD_SETLK 37

#endif

// SPDX-License-Identifier: Apache-2.0
// The system calls that Swift's Glibc module does not show. A header only: no C file is compiled.
#ifndef CPOSIX_H
#define CPOSIX_H

#include <linux/stat.h>
#include <linux/types.h>
#include <stddef.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

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

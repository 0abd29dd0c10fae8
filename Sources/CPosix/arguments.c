// SPDX-License-Identifier: Apache-2.0
#include "CPosix.h"

static int kept_count;
static char **kept_arguments;

// glibc passes the arguments of main() to constructors as well. Embedded Swift keeps them nowhere.
__attribute__((constructor)) static void keep_arguments(int count, char **arguments) {
  kept_count = count;
  kept_arguments = arguments;
}

int cposix_argument_count(void) { return kept_count; }

const char *cposix_argument(int index) { return kept_arguments[index]; }

// SPDX-License-Identifier: Apache-2.0
// libpq's types and constants. Nothing is linked: Postgres loads the library when it is first needed.
#ifndef CLIBPQ_H
#define CLIBPQ_H

#include <postgresql/libpq-fe.h>

#endif

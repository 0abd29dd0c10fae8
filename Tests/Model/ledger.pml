/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger of one mailbox: two deliveries of ours, a delivery that adds the ledger up first, and two other programs,
 * which take no lock. One of ours may be killed between any two steps. scripts/model checks it with spin(1), and that
 * it fails when one of the rules is left out (-DNO_...).
 *
 * Every message has one byte. A file is the sum of its lines, so that lines that were appended after a look are the
 * difference to what was seen.
 */

#define NONE 255
#define FILES 9

byte total[FILES];      /* what the lines of each ledger add up to */
byte files = 1;
byte named = 0;         /* the ledger called maildirsize, or NONE */
byte messages = START;
byte changes = 0;       /* of the directories */
bool locked = false;
bool mayKill = KILLS;
byte excused = 0;       /* what other programs, or a kill, may make the total too low by */
byte refused = 0;
byte running = 0;

inline lock() {
#ifndef NO_LOCK
  atomic { !locked -> locked = true }
#else
  skip
#endif
}

inline unlock() { locked = false }

inline add(new_file, its_total) { new_file = files; total[files] = its_total; files = files + 1 }

/* Between two steps the process may be killed, and the kernel frees its lock. Then nobody knows any more of what is
 * `lost`. A macro, because that is evaluated at the kill. */
#define STEP(lost) \
  if \
  :: skip \
  :: atomic { mayKill -> mayKill = false; excused = excused + (lost); locked = false; goto killed } \
  fi

#define GROWTH(file, seen) (file != NONE && total[file] > seen -> total[file] - seen : 0)

/* Puts a count in the place of the ledger, under the lock: what arrives meanwhile in the old file is
 * added; if more has arrived, the count is removed. */
inline recount() {
  d_step {
    counted = messages;
    old = named;
    if :: old != NONE -> was = total[old] :: else -> was = 0 fi
  }
  STEP(0);
  atomic { add(file, counted); named = file }
  STEP(GROWTH(old, was) + messages - counted);
  d_step {
    carried = 0;
    if :: old != NONE && total[old] > was -> carried = total[old] - was :: else fi;
    total[file] = total[file] + carried
  }
#ifndef NO_THIRD_LOOK
  STEP(messages - counted);
  if
  :: messages > counted + carried -> named = NONE
  :: else
  fi
#endif
}

/* S3 to S5 of ARCHITECTURE.md. */
proctype delivery(bool adds) {
  byte file, old, was, counted, carried;
  if
  :: adds ->
    old = named;
    if
    :: old != NONE ->
      lock();
      if
      :: named == old ->
        d_step { was = total[old] };
        STEP(0);
#ifndef SUM_REPLACES_NOTHING
        if
        :: atomic { named != NONE -> add(file, was); carried = named; named = file }
        :: atomic { named == NONE -> carried = NONE }
        fi;
#else
        atomic { add(file, was); carried = named; named = file; if :: carried == NONE -> carried = old :: else fi };
#endif
        if
        :: carried == old ->
          STEP(GROWTH(old, was));
#ifndef NO_CARRY_OVER
          d_step { if :: total[old] > was -> total[file] = total[file] + total[old] - was :: else fi }
#endif
        :: carried != old && carried != NONE ->
          STEP(messages);
#ifndef SUM_REPLACES_COUNT
          named = NONE
#endif
        :: else
        fi
      :: else
      fi;
      unlock()
    :: else
    fi
  :: else
  fi;

  lock();
  file = named;
  if
  :: file == NONE -> recount()
  :: else ->
    STEP(0);
    if
    :: total[file] < LIMIT
    :: else -> recount()
    fi
  fi;
  if
  :: total[file] >= LIMIT -> refused++; unlock(); goto done
  :: else
  fi;
  STEP(0);
#ifndef MESSAGE_BEFORE_ENTRY
  total[file]++;
  STEP(0);
  atomic { messages++; changes++ };
#else
  atomic { messages++; changes++ };
  STEP(0);
  total[file]++;
#endif
#ifndef NO_SECOND_LOOK
  STEP(named != file);
  if
  :: named != file -> file = named; STEP(1); if :: file != NONE -> total[file]++ :: else fi
  :: else
  fi;
#endif
  unlock();
done:
killed:
  running--
}

/* Stores a message, opens the ledger then, and appends (Dovecot). */
proctype opensAfter() {
  byte file;
  atomic { messages++; changes++ };
  file = named;
  atomic {
    if
    :: file == NONE
    :: file != NONE && file == named -> total[file]++
    /* The ledger was replaced since it was opened: that entry is lost. */
    :: file != NONE && file != named -> total[file]++; excused++
    fi
  };
  running--
}

/* Counts, replaces the ledger, and removes it if the directories have changed meanwhile (Dovecot, Exim). */
proctype counts() {
  byte counted, seen, file;
  d_step { counted = messages; seen = changes };
  atomic { add(file, counted); named = file };
  if
  :: changes != seen -> named = NONE
  :: else
  fi;
  running--
}

init {
  total[0] = START;
  atomic {
    running = 2;
    run delivery(false);
    run delivery(SUMS);
#ifdef OTHERS
    running = running + 2;
    run opensAfter();
    run OTHERS()
#endif
  };
  running == 0;
  assert(named == NONE || total[named] + excused >= messages);
#ifndef OTHERS
  assert(messages <= LIMIT);
  if
  :: !KILLS -> assert(total[named] == messages && messages + refused == START + 2)
  :: else
  fi
#endif
}

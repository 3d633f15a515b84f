/* clock.h - time. The core takes time as an argument; only engine, cli and serve read the wall clock. */
#ifndef PYTHIA_BASE_CLOCK_H
#define PYTHIA_BASE_CLOCK_H

#include "base/err.h"
#include "base/str.h"

int64_t clock_mono_ns(void);            /* steady, for durations and deadlines */
int64_t clock_cpu_ns(void);             /* CPU time of this thread */
double clock_ms_since(int64_t mono_ns); /* milliseconds since a value of clock_mono_ns */
int64_t clock_process_cpu_ns(void);     /* of all threads */
int64_t clock_wall_ms(void);            /* Unix time in milliseconds */

/* "2026-11-21T04:45:00Z" for Unix milliseconds. */
void clock_iso(int64_t wall_ms, char out[32]);

/* Parses "2026", "2026-11", "2026-11-21", "2026-11-21T04:45[:00][Z|+01:00]" (UTC without a zone) and relative
 * forms "7d", "12h", "2w", "30m" (before now_ms) into Unix milliseconds. ERR_USAGE with the text otherwise. */
MUST_USE Err clock_parse(Str s, int64_t now_ms, int64_t *out_ms);

/* The same, but to the end of what is named: "2026-11" is the last millisecond of November. */
MUST_USE Err clock_parse_until(Str s, int64_t now_ms, int64_t *out_ms);

/* "150ms", "2s", "1.5s", "3m", "1h", plain digits are milliseconds. */
MUST_USE Err clock_parse_duration(Str s, int64_t *out_ms);

/* A point in time that work must not outlive, a flag that ends it at once, and what else is due at the borders where
 * work may stop: a border may wait (for work that comes first) and may end the work with its error. It is called by
 * whichever thread works, several at once. Immutable but for the flag. */
typedef struct {
    int64_t at_ns;              /* clock_mono_ns value, 0: none */
    const volatile int *cancel; /* nonzero: stop, set by a signal or a thread; may be NULL */
    Err (*border)(void *ctx);   /* may be NULL */
    void *ctx;
} Deadline;

/* ERR_OK, ERR_DEADLINE or ERR_INTERRUPT with text set, or the border's error. Cost ~25 ns. */
MUST_USE Err deadline_check(const Deadline *d); /* NULL: never */

#endif

/* memory.h - how near this process is to the memory it may use, and what follows from it.
 *
 * What counts is memory that only this process can give back: anonymous pages (resident less shared). Pages of mapped
 * models and indexes do not: the kernel drops them by itself when it needs room. Beside the budget stand two walls that
 * end in the OOM killer: the cgroup's limit, and a machine with almost nothing left.
 *
 * Levels by default at 60, 75 and 90 % of the budget; from level to level half of the workers and half of the caches
 * (8 -> 4 -> 2 -> 1 eighths).
 *
 * Threads: any; nothing is kept.
 */
#ifndef PYTHIA_BASE_MEMORY_H
#define PYTHIA_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef enum { MEMORY_CALM, MEMORY_RAISED, MEMORY_HIGH, MEMORY_CRITICAL } MemoryLevel;

/* All in bytes; 0: not known. */
typedef struct {
    int64_t anonymous;   /* of this process */
    int64_t resident;    /* of this process, mapped files too */
    int64_t total;       /* of the machine */
    int64_t available;   /* of the machine, without swapping */
    int64_t group_used;  /* anonymous, of the cgroup with the least room: ours or one above */
    int64_t group_limit; /* of the same */
} MemoryNow;

/* From /proc and the cgroups; zeros where the system does not tell. Cost: some 50 us. */
void memory_read(MemoryNow *out);

/* A quarter of what there is: the machine's memory, or the cgroup's limit where that is less. At least 256 MB. */
int64_t memory_budget_default(const MemoryNow *now);

/* threshold: percent of the budget at which the first level begins, 1 to 99; the others at 3/8 and 3/4 of what is left
 * above it (60: 75 and 90). Less than 5 % available, or the cgroup's limit as near as the budget would be, counts
 * too. */
MemoryLevel memory_level(const MemoryNow *now, int64_t budget, double threshold);

/* 8, 4, 2, 1: eighths of workers and caches that are left. */
size_t memory_share(MemoryLevel level);
/* n * share / 8, at least 1. */
size_t memory_shared(size_t n, MemoryLevel level);

/* "status" as /proc/self/statm has it, "meminfo" as /proc/meminfo: for tests. */
void memory_parse_statm(Str statm, int64_t page, MemoryNow *out);
void memory_parse_meminfo(Str meminfo, MemoryNow *out);

#endif

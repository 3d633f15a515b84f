/* bench.h - two clocks. CPU time is what a shared machine can still measure of one thread; wall time is what users feel. */
#ifndef PYTHIA_BENCH_BENCH_H
#define PYTHIA_BENCH_BENCH_H

#include <time.h>

static inline double bench_seconds(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif

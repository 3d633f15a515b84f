/* sys_linux.c - what only Linux has, with a plain fallback each. */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/sys.h"

void *sys_alloc_large(size_t size) {
    const size_t huge = (size_t)2 << 20;
    size_t unit = size < huge ? 64 : huge;
    if (size > SIZE_MAX - huge) return NULL;
    size = (size / unit + 1) * unit;
    void *p = aligned_alloc(unit, size);
    if (p && unit == huge) (void)madvise(p, size, MADV_HUGEPAGE); /* refused: small pages, as without asking */
    return p;
}

/* cgroup v2: "max 100000" or "150000 100000" (quota and period in us). 0: no limit known. */
static size_t cgroup_cores(void) {
    char line[64] = "";
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!f) return 0;
    bool got = fgets(line, sizeof line, f) != NULL;
    (void)fclose(f);
    long quota = 0, period = 0;
    if (!got || sscanf(line, "%ld %ld", &quota, &period) != 2 || quota <= 0 || period <= 0) return 0;
    return (size_t)((quota + period - 1) / period);
}

size_t pool_cores(void) {
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    size_t cores = n > 0 ? (size_t)n : 1, quota = cgroup_cores();
    return quota && quota < cores ? quota : cores;
}

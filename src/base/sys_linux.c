/* sys_linux.c - what only Linux has, with a plain fallback each. */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/pool.h"

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

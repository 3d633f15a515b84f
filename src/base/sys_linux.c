/* sys_linux.c - what only Linux has, with a plain fallback each. */
#include <malloc.h>
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

/* ---- memory ---- */

/* Its first bytes; empty when it cannot be read. Not through file.h: faults armed by tests are not meant for this. */
static Str proc_read(const char *path, char *to, size_t cap) {
    FILE *f = fopen(path, "re");
    if (!f) return (Str){"", 0};
    size_t n = fread(to, 1, cap, f);
    (void)fclose(f);
    return str_trim(str_make(to, n));
}

/* A file with one number; 0 for "max", for nonsense, and for v1's way to say that there is no limit. */
static int64_t proc_number(const char *path) {
    char text[64];
    int64_t v = 0;
    if (!str_to_i64(proc_read(path, text, sizeof text), &v) || v < 0 || v > INT64_MAX / 2) return 0;
    return v;
}

/* "anon 12345" of memory.stat: page cache is not held against us, the kernel takes it back by itself. */
static int64_t group_anonymous(const char *path, Str key) {
    char text[8192];
    Str rest = proc_read(path, text, sizeof text), line, name;
    int64_t v = 0;
    while (str_line(&rest, &line))
        if (str_cut(&line, ' ', &name) && str_eq(name, key) && str_to_i64(line, &v)) return v;
    return 0;
}

void sys_memory_read(MemoryNow *out) {
    char text[8192];
    memory_parse_statm(proc_read("/proc/self/statm", text, sizeof text), sysconf(_SC_PAGESIZE), out);
    memory_parse_meminfo(proc_read("/proc/meminfo", text, sizeof text), out);
    out->group_limit = proc_number("/sys/fs/cgroup/memory.max");
    if (out->group_limit) {
        out->group_used = group_anonymous("/sys/fs/cgroup/memory.stat", STR("anon"));
        return;
    }
    out->group_limit = proc_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    if (out->total && out->group_limit > out->total) out->group_limit = 0; /* none: a number beyond all memory */
    if (out->group_limit) out->group_used = group_anonymous("/sys/fs/cgroup/memory/memory.stat", STR("rss"));
}

#ifdef __GLIBC__
void sys_memory_trim(void) { (void)malloc_trim(0); }
#else
void sys_memory_trim(void) {}
#endif

/* ---- cores ---- */

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

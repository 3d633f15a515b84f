/* sys_linux.c - what only Linux has, with a plain fallback each. */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hash.h"
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

/* The cache takes pages of the size that the first reader asks for, if the file system has them (ext4 from Linux 6.16,
 * XFS, btrfs). The bytes stay as they are. */
void sys_map_hot(const void *map, size_t size) { (void)madvise((void *)(uintptr_t)map, size, MADV_HUGEPAGE); }

int sys_temp_file(const char *dir) {
    const int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char path[1200];
    if (fd >= 0) return fd;
    /* A file system without it (overlay, NFS): a name for as long as it takes to drop it. */
    const int n = snprintf(path, sizeof path, "%s/.spool-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof path) return errno = ENAMETOOLONG, -1;
    const int made = mkostemp(path, O_CLOEXEC);
    if (made >= 0) (void)unlink(path);
    return made;
}

/* ---- which build this is ---- */

enum { NOTE_ALIGN = 4 };

/* The linker's own hash of what it wrote (--build-id): a note of the program. */
static bool build_note_read(const char *at, size_t left, char out[SYS_BUILD_ID]) {
    while (left >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        const size_t name = (note.n_namesz + NOTE_ALIGN - 1) / NOTE_ALIGN * NOTE_ALIGN;
        const size_t value = (note.n_descsz + NOTE_ALIGN - 1) / NOTE_ALIGN * NOTE_ALIGN;
        at += sizeof note;
        left -= sizeof note;
        if (name > left || value > left - name) return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU" && memcmp(at, "GNU", sizeof "GNU") == 0) {
            const size_t most = (SYS_BUILD_ID - 1) / 2;
            hex_write((const uint8_t *)at + name, note.n_descsz < most ? note.n_descsz : most, out);
            return true;
        }
        at += name + value;
        left -= name + value;
    }
    return false;
}

/* The first object is the program itself. */
static int build_note_find(struct dl_phdr_info *info, size_t size, void *out) {
    (void)size;
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const char *at = (const char *)(uintptr_t)(info->dlpi_addr + p->p_vaddr);
        if (p->p_type == PT_NOTE && build_note_read(at, p->p_memsz, out)) break;
    }
    return 1;
}

void sys_build_id(char out[SYS_BUILD_ID]) {
    out[0] = 0;
    (void)dl_iterate_phdr(build_note_find, out);
}

/* ---- the service manager ---- */

void sys_notify(const char *to, const char *state) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t n = to ? strlen(to) : 0;
    if (n < 2 || n > sizeof address.sun_path || (to[0] != '/' && to[0] != '@')) return;
    memcpy(address.sun_path, to, n);
    if (to[0] == '@') address.sun_path[0] = 0; /* abstract: no file, told apart by its first byte */
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    (void)close(fd);
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
static int64_t proc_number(const char *dir, const char *name) {
    char text[64], path[1200];
    int64_t v = 0;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path) return 0;
    if (!str_to_i64(proc_read(path, text, sizeof text), &v) || v < 0 || v > INT64_MAX / 2) return 0;
    return v;
}

/* "anon 12345" of memory.stat: page cache is not held against us, the kernel takes it back by itself. */
static int64_t group_anonymous(const char *dir, Str key) {
    char text[8192], path[1200];
    int64_t v = 0;
    int n = snprintf(path, sizeof path, "%s/memory.stat", dir);
    if (n < 0 || (size_t)n >= sizeof path) return 0;
    Str rest = proc_read(path, text, sizeof text), line, name;
    while (str_line(&rest, &line))
        if (str_cut(&line, ' ', &name) && str_eq(name, key) && str_to_i64(line, &v)) return v;
    return 0;
}

/* Of all groups from ours upwards the one with the least room counts: there the OOM killer comes first. */
static void group_consider(const char *dir, bool v2, MemoryNow *out) {
    int64_t limit = proc_number(dir, v2 ? "memory.max" : "memory.limit_in_bytes");
    int64_t high = v2 ? proc_number(dir, "memory.high") : 0; /* above it the kernel slows us down to a crawl */
    if (high && (!limit || high < limit)) limit = high;
    if (!limit || (out->total && limit > out->total)) return; /* v1: a number beyond all memory */
    int64_t used = group_anonymous(dir, v2 ? STR("anon") : STR("total_rss"));
    if (out->group_limit && out->group_limit - out->group_used <= limit - used) return;
    out->group_limit = limit;
    out->group_used = used;
}

/* root/path, root/path's folder, …, root. In a container the path may be the host's: then only the root is there. */
static void groups_walk(const char *root, Str path, bool v2, MemoryNow *out) {
    char dir[1100];
    for (;;) {
        while (path.n && path.p[path.n - 1] == '/') path.n--;
        int n = snprintf(dir, sizeof dir, "%s%.*s", root, STR_FMT(path));
        if (n > 0 && (size_t)n < sizeof dir) group_consider(dir, v2, out);
        if (!path.n) return;
        while (path.n && path.p[path.n - 1] != '/') path.n--;
    }
}

/* "0::/a/b" is v2's line, "4:memory:/a/b" v1's. */
void sys_memory_groups(const char *root, Str cgroups, MemoryNow *out) {
    char v1_root[1100];
    Str line, number, controllers;
    (void)snprintf(v1_root, sizeof v1_root, "%s/memory", root);
    while (str_line(&cgroups, &line)) {
        if (!str_cut(&line, ':', &number) || !str_cut(&line, ':', &controllers)) continue;
        if (controllers.n == 0) groups_walk(root, line, true, out);
        if (str_is(controllers, "memory")) groups_walk(v1_root, line, false, out);
    }
}

void sys_memory_read(MemoryNow *out) {
    char text[8192];
    memory_parse_statm(proc_read("/proc/self/statm", text, sizeof text), sysconf(_SC_PAGESIZE), out);
    memory_parse_meminfo(proc_read("/proc/meminfo", text, sizeof text), out);
    sys_memory_groups("/sys/fs/cgroup", proc_read("/proc/self/cgroup", text, sizeof text), out);
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

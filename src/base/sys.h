/* sys.h - what systems have and POSIX does not, with a plain fallback each (sys_linux.c). */
#ifndef PYTHIA_BASE_SYS_H
#define PYTHIA_BASE_SYS_H

#include <stddef.h>

#include "base/memory.h"
#include "base/str.h"

/* Memory for a large array that is read over and over: aligned to 64 bytes or more, on huge pages where the system has
 * them and size is worth one; not zeroed. NULL when there is none; give it back with free(). Packing 42 MB of weights
 * into it takes 17 ms instead of 30 (10,000 page faults less), reading them 7 % less. */
void *sys_alloc_large(size_t size);

/* A map of a file will be read as a whole, over and over: what is not in the system's cache yet is best read in huge
 * pages. A hint, for bytes that nothing has touched yet. */
void sys_map_hot(const void *map, size_t size);

/* Fills what the system tells of memory: /proc and the cgroups; elsewhere nothing. */
void sys_memory_read(MemoryNow *out);

/* group_limit and group_used of the group with the least room, ours or one above it, by the lines of /proc/self/cgroup
 * ("0::/a/b") and the files below root (/sys/fs/cgroup). For tests. */
void sys_memory_groups(const char *root, Str cgroups, MemoryNow *out);

/* Gives freed memory back to the system, where the allocator can. */
void sys_memory_trim(void);

/* A file in that folder without a name, to be read and written: gone when it is closed, however the program ends. -1
 * with errno. */
int sys_temp_file(const char *dir);

/* Hex digits by which two builds of this program differ; "" where that cannot be told. */
enum { SYS_BUILD_ID = 41 };
void sys_build_id(char out[SYS_BUILD_ID]);

/* Tells a service manager how we are: "READY=1", lines apart by '\n' (sd_notify(3)). to: its socket, as $NOTIFY_SOCKET
 * has it: a path, or "@" and an abstract name; NULL or anything else: nobody is told. Never waits; nobody is left to
 * hear of failure. */
void sys_notify(const char *to, const char *state);

/* "'name' (process 123)" of who listens on a TCP port of this machine; "" when that cannot be told. */
void sys_port_owner(int port, char *out, size_t cap);

#endif

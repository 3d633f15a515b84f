/* sys_port.c - who listens on a TCP port, as far as /proc tells; elsewhere, and of processes of others, nothing is
 * known.
 *
 * /proc/net/tcp and tcp6 name the socket's inode, the links in /proc/PID/fd name inodes of processes. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"

enum { LISTENING = 0x0A };

static unsigned long port_inode(const char *table, int port) {
    char line[512];
    unsigned long inode = 0;
    FILE *f = fopen(table, "re");
    if (!f) return 0;
    while (!inode && fgets(line, sizeof line, f)) {
        unsigned local_port = 0, state = 0;
        unsigned long found = 0;
        int fields = sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*d %*d %lu",
                            &local_port, &state, &found);
        if (fields == 3 && local_port == (unsigned)port && state == LISTENING) inode = found;
    }
    (void)fclose(f);
    return inode;
}

static bool process_has(const char *pid, const char *wanted) {
    char path[320], link[64];
    bool has = false;
    (void)snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *dir = opendir(path);
    const struct dirent *e;
    while (dir && !has && (e = readdir(dir))) {
        (void)snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, e->d_name);
        ssize_t n = readlink(path, link, sizeof link - 1);
        if (n > 0) link[n] = 0;
        has = n > 0 && strcmp(link, wanted) == 0;
    }
    if (dir) (void)closedir(dir);
    return has;
}

void sys_port_owner(int port, char *out, size_t cap) {
    char wanted[64], path[64], name[32] = "?";
    unsigned long inode = port_inode("/proc/net/tcp", port);
    if (!inode) inode = port_inode("/proc/net/tcp6", port);
    out[0] = 0;
    if (!inode) return;
    (void)snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *proc = opendir("/proc");
    const struct dirent *e;
    while (proc && !out[0] && (e = readdir(proc))) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || !process_has(e->d_name, wanted)) continue;
        (void)snprintf(path, sizeof path, "/proc/%.20s/comm", e->d_name);
        FILE *f = fopen(path, "re");
        if (f && fgets(name, sizeof name, f)) name[strcspn(name, "\n")] = 0;
        if (f) (void)fclose(f);
        (void)snprintf(out, cap, "'%s' (process %.20s)", name, e->d_name);
    }
    if (proc) (void)closedir(proc);
}

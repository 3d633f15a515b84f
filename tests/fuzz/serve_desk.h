/* serve_desk.h - a desk for fuzz targets of the server's doors: a home of its own, no model, nothing that may be
 * indexed. It is empty, so that calls end soon, with errors mostly, unless `fill` puts something there first. */
#ifndef PYTHIA_TESTS_FUZZ_SERVE_DESK_H
#define PYTHIA_TESTS_FUZZ_SERVE_DESK_H

#include <sched.h>
#include <stdlib.h>

#include "base/log.h"
#include "serve/peer.h"

static inline Desk *fuzz_desk_with(void (*fill)(const char *home)) {
    static char home[] = "/tmp/pythia-fuzz-XXXXXX";
    static char *none[] = {NULL};
    static Desk *desk;
    static Config *config;
    if (desk) return desk;
    log_set_level(LOG_ERROR);
    if (!mkdtemp(home) || config_load(&config, &(ConfigSources){.environ = none})) abort();
    if (fill) fill(home);
    DeskOpts opts = {.config = config, .home = home, .cwd = home, .environ = none, .workers = 1};
    if (desk_open(&desk, &opts)) abort();
    return desk;
}

static inline Desk *fuzz_desk(void) { return fuzz_desk_with(NULL); }

/* Answers must be JSON, whatever was asked. */
static inline void fuzz_send(Peer *p, Str message) {
    json_t *v = NULL;
    (void)p;
    if (json_read(message, "answer", &v)) abort();
    json_decref(v);
}
static inline void fuzz_gone(Peer *p) { atomic_store(&p->holders, -1); }

/* Lets go of p, and waits for the last answer. */
static inline void fuzz_drop(Peer *p) {
    peer_drop(p);
    while (atomic_load(&p->holders) != -1) (void)sched_yield();
}

#endif

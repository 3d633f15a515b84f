/* guard.h - who may come in by HTTP: names of this machine (Host), web pages (Origin), and how often (rate limit).
 *
 * Threads: HostRules are constant; a RateLimit is locked.
 */
#ifndef PYTHIA_SERVE_GUARD_H
#define PYTHIA_SERVE_GUARD_H

#include <pthread.h>

#include "base/str.h"

typedef struct {
    bool loopback; /* bound to a loopback address: then a name that is none (DNS rebinding) is refused */
    Str host;      /* of the address bound to: "127.0.0.1", "[::1]" */
    Str origins;   /* allowed beside our own, with commas between */
} HostRules;

/* The Host header: "localhost:8080". Parsed exactly: no user, no path, a port of digits. */
bool host_allowed(const HostRules *r, Str host);
/* The Origin header: our own or a loopback name on any port, or one that is allowed. "null" never is. host: the Host
 * header; on addresses that others reach, where a token is needed always, a page of the same host and port is our
 * own. */
bool origin_allowed(const HostRules *r, Str host, Str origin);
/* Host and port of "host[:port]" or "[v6][:port]"; false when it is neither. */
bool host_split(Str text, Str *host, Str *port);
bool host_is_loopback(Str host);

enum { RATE_BUCKETS = 4096 };
/* Token buckets: `rate` a second, as many at once. Callers are told apart by a hash of their name; two that fall
 * together share one bucket. */
typedef struct {
    double rate; /* 0: no limit */
    uint64_t seed;
    pthread_mutex_t lock; /* guards the rest */
    struct {
        double level;
        int64_t at_ns;
    } buckets[RATE_BUCKETS];
} RateLimit;
/* 0: go on; else seconds to wait, rounded up. now_ns: steady. */
int rate_take(RateLimit *r, Str who, int64_t now_ns);

#endif

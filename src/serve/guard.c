/* guard.c - see guard.h. */
#include "serve/guard.h"

#include <math.h>

#include "base/hash.h"

bool host_split(Str text, Str *host, Str *port) {
    *port = (Str){NULL, 0};
    if (text.n == 0) return false;
    ptrdiff_t end = text.p[0] == '[' ? str_find_char(text, ']') : str_find_char(text, ':');
    if (text.p[0] == '[' && end < 0) return false;
    size_t n = end < 0 ? text.n : (size_t)end + (text.p[0] == '[');
    *host = str_upto(text, n);
    Str rest = str_from(text, n);
    if (rest.n && (rest.p[0] != ':' || rest.n == 1 || rest.n > 6)) return false;
    if (rest.n) *port = str_from(rest, 1);
    for (size_t i = 0; i < port->n; i++)
        if (port->p[i] < '0' || port->p[i] > '9') return false;
    for (size_t i = 0; i < host->n; i++) {
        char c = host->p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        if (!fine && !(text.p[0] == '[' && (c == ':' || c == '[' || c == ']'))) return false;
    }
    return host->n > 0;
}

bool host_is_loopback(Str host) {
    if (str_eq_nocase(host, STR("localhost")) || str_is(host, "[::1]") || str_is(host, "::1")) return true;
    /* 127.0.0.0/8, four numbers: "127.evil.com" is a name like others. */
    if (!str_starts(host, STR("127."))) return false;
    Str rest = host, part;
    int parts = 0;
    while (str_cut(&rest, '.', &part)) {
        uint64_t v = 0;
        if (part.n == 0 || part.n > 3 || !str_to_u64(part, &v) || v > 255) return false;
        parts++;
    }
    return parts == 4 && host.p[host.n - 1] != '.';
}

bool host_allowed(const HostRules *r, Str host) {
    Str name, port;
    if (!host_split(host, &name, &port)) return false;
    return !r->loopback || host_is_loopback(name) || str_eq_nocase(name, r->host);
}

bool origin_allowed(const HostRules *r, Str host, Str origin) {
    Str rest = r->origins, one, name, port;
    while (str_cut(&rest, ',', &one))
        if (str_trim(one).n && str_eq(str_trim(one), origin)) return true;
    Str place = str_starts(origin, STR("http://"))    ? str_from(origin, 7)
                : str_starts(origin, STR("https://")) ? str_from(origin, 8)
                                                      : (Str){NULL, 0};
    if (!place.p || !host_split(place, &name, &port)) return false;
    if (!r->loopback && str_eq_nocase(place, host)) return true;
    return host_is_loopback(name) || str_eq_nocase(name, r->host);
}

int rate_take(RateLimit *r, Str who, int64_t now_ns) {
    if (r->rate <= 0) return 0;
    size_t at = (size_t)(xxh3_seeded(who, r->seed) % RATE_BUCKETS);
    double burst = r->rate < 1 ? 1 : r->rate, wait = 0;
    (void)pthread_mutex_lock(&r->lock);
    double level = burst;
    if (r->buckets[at].at_ns) {
        level = r->buckets[at].level + (double)(now_ns - r->buckets[at].at_ns) * 1e-9 * r->rate;
        if (level > burst) level = burst;
    }
    if (level >= 1)
        level -= 1;
    else
        wait = (1 - level) / r->rate;
    r->buckets[at].level = level;
    r->buckets[at].at_ns = now_ns;
    (void)pthread_mutex_unlock(&r->lock);
    return wait > 0 ? (int)ceil(wait) : 0;
}

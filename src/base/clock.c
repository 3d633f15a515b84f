/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t ns_of(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_mono_ns(void) { return ns_of(CLOCK_MONOTONIC); }
int64_t clock_cpu_ns(void) { return ns_of(CLOCK_THREAD_CPUTIME_ID); }
int64_t clock_process_cpu_ns(void) { return ns_of(CLOCK_PROCESS_CPUTIME_ID); }

double clock_ms_since(int64_t mono_ns) { return (double)(clock_mono_ns() - mono_ns) * 1e-6; }

int64_t clock_wall_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_iso(int64_t wall_ms, char out[32]) {
    time_t s = (time_t)(wall_ms >= 0 ? wall_ms / 1000 : (wall_ms - 999) / 1000);
    struct tm tm;
    if (!gmtime_r(&s, &tm) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) out[0] = 0;
}

/* Exactly n digits at *s; moves behind them. */
static bool take_digits(Str *s, size_t n, int *out) {
    if (s->n < n) return false;
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_from(*s, n);
    *out = v;
    return true;
}

static bool take_char(Str *s, char c) {
    if (s->n == 0 || s->p[0] != c) return false;
    *s = str_from(*s, 1);
    return true;
}

/* "Z", "+01:00", "-0530", or nothing; minutes east of UTC. */
static bool take_zone(Str *s, int *minutes) {
    int hh, mm;
    *minutes = 0;
    if (s->n == 0 || take_char(s, 'Z')) return s->n == 0;
    bool minus = s->p[0] == '-';
    if (!take_char(s, '-') && !take_char(s, '+')) return false;
    if (!take_digits(s, 2, &hh)) return false;
    (void)take_char(s, ':');
    if (!take_digits(s, 2, &mm) || hh > 14 || mm > 59) return false;
    *minutes = (minus ? -1 : 1) * (hh * 60 + mm);
    return s->n == 0;
}

static bool parse_calendar(Str s, int64_t *out_ms) {
    struct tm tm = {.tm_mday = 1};
    int year, month = 1, day = 1, hour = 0, minute = 0, second = 0, zone = 0;
    if (!take_digits(&s, 4, &year)) return false;
    if (take_char(&s, '-')) {
        if (!take_digits(&s, 2, &month)) return false;
        if (take_char(&s, '-') && !take_digits(&s, 2, &day)) return false;
    }
    if (take_char(&s, 'T') || take_char(&s, ' ')) {
        if (!take_digits(&s, 2, &hour) || !take_char(&s, ':') || !take_digits(&s, 2, &minute)) return false;
        if (take_char(&s, ':') && !take_digits(&s, 2, &second)) return false;
        if (!take_zone(&s, &zone)) return false;
    }
    if (s.n || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return false;
    tm.tm_year = year - 1900, tm.tm_mon = month - 1, tm.tm_mday = day;
    tm.tm_hour = hour, tm.tm_min = minute, tm.tm_sec = second;
    time_t t = timegm(&tm);
    if (tm.tm_mon != month - 1) return false; /* 31 April moved on into May */
    *out_ms = ((int64_t)t - zone * 60) * 1000;
    return true;
}

static bool parse_ago(Str s, int64_t now_ms, int64_t *out_ms) {
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}, {'y', 31557600000}};
    uint64_t n;
    if (s.n < 2 || !str_to_u64(str_upto(s, s.n - 1), &n) || n > 100000) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (s.p[s.n - 1] == units[i].unit) return *out_ms = now_ms - (int64_t)n * units[i].ms, true;
    return false;
}

Err clock_parse(Str s, int64_t now_ms, int64_t *out_ms) {
    if (parse_ago(s, now_ms, out_ms) || parse_calendar(s, out_ms)) return ERR_OK;
    return err_set(ERR_USAGE, "'%.*s' is no date; valid are 2026-11-21, 2026-11-21T04:45Z, 2026-11, 2026, 7d, 12h, 2w",
                   STR_FMT(s));
}

Err clock_parse_until(Str s, int64_t now_ms, int64_t *out_ms) {
    static const int64_t DAY_MS = 86400000;
    int64_t year = 0, month = 0;
    char next[16] = "";
    TRY(clock_parse(s, now_ms, out_ms));
    if (s.n == 4 && str_to_i64(s, &year))
        (void)snprintf(next, sizeof next, "%04lld", (long long)year + 1);
    else if (s.n == 7 && str_to_i64(str_upto(s, 4), &year) && str_to_i64(str_from(s, 5), &month))
        (void)snprintf(next, sizeof next, "%04lld-%02lld", (long long)year + month / 12, (long long)month % 12 + 1);
    else if (s.n == 10 && s.p[4] == '-' && s.p[7] == '-')
        *out_ms += DAY_MS - 1;
    if (!next[0]) return ERR_OK;
    TRY(clock_parse(str_of(next), 0, out_ms));
    --*out_ms;
    return ERR_OK;
}

Err clock_parse_duration(Str s, int64_t *out_ms) {
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        Str unit = str_of(units[i].unit);
        double v;
        if (!str_ends(s, unit) || !str_to_f64(str_upto(s, s.n - unit.n), &v) || v < 0 || v * units[i].ms > 1e15)
            continue;
        *out_ms = (int64_t)(v * units[i].ms);
        return ERR_OK;
    }
    return err_set(ERR_USAGE, "'%.*s' is no duration; valid are 150ms, 2s, 1.5s, 3m, 1h", STR_FMT(s));
}

Err deadline_check(const Deadline *d) {
    if (!d) return ERR_OK;
    if (d->cancel && __atomic_load_n(d->cancel, __ATOMIC_RELAXED)) return err_set(ERR_INTERRUPT, "interrupted");
    if (d->at_ns && clock_mono_ns() >= d->at_ns) return err_set(ERR_DEADLINE, "the deadline was reached");
    return d->border ? d->border(d->ctx) : ERR_OK;
}

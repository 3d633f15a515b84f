/* generate_text.c - see generate_text.h. What is held is never longer than a stop string and a character. */
#include "model/generate_text.h"

#include "base/utf8.h"

Err generate_text_open(GenerateText *t, const Str *stops, size_t n_stops) {
    *t = (GenerateText){.stops = stops, .n_stops = n_stops, .stop = -1};
    if (n_stops > STOPS_MAX)
        return err_set(ERR_USAGE, "%zu stop strings are too many, the most is %d", n_stops, STOPS_MAX);
    for (size_t i = 0; i < n_stops; i++)
        if (stops[i].n == 0 || stops[i].n > STOP_BYTES_MAX)
            return err_set(ERR_USAGE, "a stop string has %zu bytes; 1 to %d are possible", stops[i].n, STOP_BYTES_MAX);
    return ERR_OK;
}

void generate_text_free(GenerateText *t) {
    buf_free(&t->held);
    buf_free(&t->ready);
}

/* The first n bytes of what is held are ready. */
static void release(GenerateText *t, size_t n) {
    if (n == 0) return;
    utf8_repair(&t->ready, str_upto(buf_str(&t->held), n));
    t->held.n -= n;
    memmove(t->held.p, t->held.p + n, t->held.n + 1);
}

/* The stop string that begins first. */
static bool find_stop(GenerateText *t, size_t *at) {
    for (size_t i = 0; i < t->n_stops; i++) {
        ptrdiff_t found = str_find(buf_str(&t->held), t->stops[i]);
        if (found < 0 || (t->stop >= 0 && (size_t)found >= *at)) continue;
        *at = (size_t)found;
        t->stop = (ptrdiff_t)i;
    }
    return t->stop >= 0;
}

/* Bytes at the end of s that a stop string begins with. */
static size_t stop_begun(const GenerateText *t, Str s) {
    size_t most = 0;
    for (size_t i = 0; i < t->n_stops; i++) {
        size_t n = t->stops[i].n - 1 < s.n ? t->stops[i].n - 1 : s.n;
        while (n > most && memcmp(s.p + s.n - n, t->stops[i].p, n) != 0) n--;
        if (n > most) most = n;
    }
    return most;
}

/* Bytes at the end of s that begin a character. */
static size_t char_begun(Str s) {
    for (size_t n = 1; n <= 3 && n <= s.n; n++) {
        uint8_t byte = (uint8_t)s.p[s.n - n];
        if ((byte & 0xC0) == 0x80) continue;
        size_t whole = byte > 0xF4 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
        return n < whole ? n : 0;
    }
    return 0;
}

Err generate_text_add(GenerateText *t, Str bytes) {
    size_t at = 0;
    buf_add(&t->held, bytes);
    TRY(buf_ok(&t->held));
    if (find_stop(t, &at)) {
        release(t, at);
        buf_clear(&t->held);
        return buf_ok(&t->ready);
    }
    Str held = buf_str(&t->held);
    held.n -= stop_begun(t, held);
    held.n -= char_begun(held);
    release(t, held.n);
    return buf_ok(&t->ready);
}

Err generate_text_end(GenerateText *t) {
    release(t, t->held.n);
    return buf_ok(&t->ready);
}

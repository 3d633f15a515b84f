/* str.c - see str.h. */
#include "base/str.h"

#include "base/ascii.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int str_cmp(Str a, Str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(Str s, Str prefix) { return s.n >= prefix.n && str_eq(str_upto(s, prefix.n), prefix); }
bool str_ends(Str s, Str suffix) { return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix); }

static char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

bool str_eq_nocase(Str a, Str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) return false;
    return true;
}

Str str_trim(Str s) {
    while (s.n && is_blank(s.p[0])) s = (Str){s.p + 1, s.n - 1};
    while (s.n && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

ptrdiff_t str_find(Str s, Str needle) {
    if (needle.n == 0) return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t str_find_char(Str s, char c) {
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t str_rfind_char(Str s, char c) {
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

bool str_cut(Str *rest, char sep, Str *field) {
    if (rest->n == 0) return false;
    ptrdiff_t at = str_find_char(*rest, sep);
    if (at < 0) {
        *field = *rest;
        *rest = str_from(*rest, rest->n);
        return true;
    }
    *field = str_upto(*rest, (size_t)at);
    *rest = (Str){rest->p + at + 1, rest->n - (size_t)at - 1};
    return true;
}

bool str_line(Str *rest, Str *line) {
    if (rest->n == 0) return false;
    ptrdiff_t at = str_find_char(*rest, '\n');
    size_t n = at < 0 ? rest->n : (size_t)at;
    *line = str_upto(*rest, n);
    *rest = str_from(*rest, at < 0 ? n : n + 1);
    if (line->n && line->p[line->n - 1] == '\r') line->n--;
    return true;
}

bool str_to_u64(Str s, uint64_t *out) {
    uint64_t v = 0;
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10) return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

bool str_to_i64(Str s, int64_t *out) {
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;
    if (!str_to_u64(minus ? str_from(s, 1) : s, &v)) return false;
    if (v > (uint64_t)INT64_MAX + (minus ? 1u : 0u)) return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* strtod reads the locale's decimal point; Pythia never calls setlocale, but a program that embeds it may: so the
 * number is read in the "C" locale of our own. */
bool str_to_f64(Str s, double *out) {
    char z[64];
    if (s.n == 0 || s.n >= sizeof z || is_blank(s.p[0])) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789+-.eE", s.p[i]) || !s.p[i]) return false;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return false;
    char *end = NULL;
    double v = strtod_l(z, &end, c);
    freelocale(c);
    if (*end || !isfinite(v)) return false;
    *out = v;
    return true;
}

bool str_to_bytes(Str s, uint64_t *out) {
    double scale = 1, v;
    if (s.n && (s.p[s.n - 1] == 'B' || s.p[s.n - 1] == 'b')) s.n--;
    if (s.n && (s.p[s.n - 1] == 'i')) s.n--;
    if (s.n == 0) return false;
    switch (ascii_lower(s.p[s.n - 1])) {
    case 'k':
        scale = 1024;
        break;
    case 'm':
        scale = 1024.0 * 1024;
        break;
    case 'g':
        scale = 1024.0 * 1024 * 1024;
        break;
    case 't':
        scale = 1024.0 * 1024 * 1024 * 1024;
        break;
    default:
        return str_to_u64(s, out);
    }
    if (!str_to_f64(str_trim(str_upto(s, s.n - 1)), &v) || v < 0 || v * scale >= 9e18) return false;
    *out = (uint64_t)(v * scale);
    return true;
}

bool buf_reserve(Buf *b, size_t more) {
    if (b->failed) return false;
    if (more < b->cap - b->n) return true; /* one byte is kept for the NUL */
    if (more >= SIZE_MAX / 4 - b->n) return b->failed = true, false;
    size_t cap = b->cap ? b->cap * 2 : 64;
    while (cap <= b->n + more) cap *= 2;
    char *p = realloc(b->p, cap);
    if (!p) return b->failed = true, false;
    b->p = p;
    b->cap = cap;
    b->p[b->n] = 0;
    return true;
}

void buf_add_bytes(Buf *b, const void *p, size_t n) {
    if (!buf_reserve(b, n)) return;
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void buf_add(Buf *b, Str s) { buf_add_bytes(b, s.p, s.n); }
void buf_add_z(Buf *b, const char *z) { buf_add_bytes(b, z, strlen(z)); }
void buf_char(Buf *b, char c) { buf_add_bytes(b, &c, 1); }

void buf_vprintf(Buf *b, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0 && buf_reserve(b, (size_t)n)) {
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_printf(Buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

void buf_clear(Buf *b) {
    b->n = 0;
    if (b->p) b->p[0] = 0;
}

void buf_free(Buf *b) {
    free(b->p);
    *b = (Buf){0};
}

Err buf_ok(const Buf *b) { return b->failed ? err_set(ERR_NOMEM, "out of memory: a text of %zu bytes", b->n) : ERR_OK; }

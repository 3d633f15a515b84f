/* str.h - borrowed strings and growing buffers.
 *
 * Str is a pointer and a length, passed by value, never owned, not necessarily NUL-terminated; bytes, usually UTF-8.
 * Buf owns its bytes and grows; it always keeps a NUL behind them. A Buf that ran out of memory stays usable, drops
 * what comes and says so in buf.failed: check it once at the end (buf_ok) instead of at every append.
 */
#ifndef PYTHIA_BASE_STR_H
#define PYTHIA_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

typedef struct {
    const char *p;
    size_t n;
} Str;

#define STR(literal) ((Str){(literal), sizeof(literal) - 1})
#define STR_FMT(s)   (int)((s).n > 4096 ? 4096 : (s).n), (s).p /* for "%.*s"; errors never print more than 4 KB */

static inline Str str_of(const char *z) { return (Str){z, z ? strlen(z) : 0}; }
static inline Str str_make(const char *p, size_t n) { return (Str){p, n}; }
static inline Str str_from(Str s, size_t at) { return at < s.n ? (Str){s.p + at, s.n - at} : (Str){s.p + s.n, 0}; }
static inline Str str_upto(Str s, size_t n) { return (Str){s.p, n < s.n ? n : s.n}; }
static inline bool str_eq(Str a, Str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool str_is(Str a, const char *z) { return str_eq(a, str_of(z)); }

int str_cmp(Str a, Str b); /* bytewise, shorter first: <0, 0, >0 */
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
bool str_eq_nocase(Str a, Str b);      /* ASCII letters only */
Str str_trim(Str s);                   /* without spaces, tabs, CR and LF at both ends */
ptrdiff_t str_find(Str s, Str needle); /* first position, or -1; "" is found at 0 */
ptrdiff_t str_find_char(Str s, char c);
ptrdiff_t str_rfind_char(Str s, char c);

/* Cuts the next field off *rest at sep; false when *rest is used up. "a,,b" gives a, "", b; a separator at the end
 * opens no further field: "a," gives a, "" gives nothing. */
bool str_cut(Str *rest, char sep, Str *field);

/* The next line without its "\n" or "\r\n"; *rest moves behind it. False at the end. */
bool str_line(Str *rest, Str *line);

/* Whole-string numbers: no sign where unsigned, no blanks, no overflow; false and *out untouched otherwise. */
bool str_to_i64(Str s, int64_t *out);
bool str_to_u64(Str s, uint64_t *out);
bool str_to_f64(Str s, double *out); /* decimal point whatever the locale; refuses NaN and infinities */
/* "64", "64K", "1.5M", "2G" (powers of 1024) */
bool str_to_bytes(Str s, uint64_t *out);

typedef struct {
    char *p; /* NUL-terminated, NULL when never used */
    size_t n;
    size_t cap;
    bool failed;
} Buf;

void buf_add(Buf *b, Str s);
void buf_add_bytes(Buf *b, const void *p, size_t n);
void buf_add_z(Buf *b, const char *z);
void buf_char(Buf *b, char c);
void buf_printf(Buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(Buf *b, const char *fmt, va_list args);
bool buf_reserve(Buf *b, size_t more); /* false and failed when memory is out */
void buf_clear(Buf *b);                /* empty, memory and `failed` kept */
void buf_free(Buf *b);                 /* back to {0} */
MUST_USE Err buf_ok(const Buf *b);     /* ERR_NOMEM when an append was dropped */
static inline Str buf_str(const Buf *b) { return (Str){b->p ? b->p : "", b->n}; }

#endif

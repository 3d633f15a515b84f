/* tok_bpe_nfc.c - NFC by utf8proc, with what the reference does not know left alone.
 *
 * A text falls into clusters: a character that starts one and the marks (or Jamo) behind it. What happens in a cluster
 * depends on nothing outside it, so that only those with marks, or with a character that has a canonical decomposition,
 * are handed to the library; all others are copied.
 *
 * The reference's tables are of Unicode 9: marks that came later are starters to it, which neither move nor compose.
 * The library's age changes with the distribution; `young` names the blocks and code points between the two, and those
 * newer than any library now (Unicode 16), so that ids do not depend on it. Each is a cluster of its own, copied.
 */
#include "model/tok_bpe_nfc.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "base/utf8.h"

typedef struct {
    uint32_t first, last;
} Range;

/* Sorted. Found by comparing the two libraries over all code points in six settings each. */
static const Range young[] = {
    {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1AFF},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x105C0, 0x105FF}, {0x10D24, 0x10D27}, {0x10D40, 0x10D8F}, {0x10EAB, 0x10EAC},
    {0x10EFA, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B},
    {0x11380, 0x113FF}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11943}, {0x119E0, 0x119E0},
    {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16100, 0x1613F}, {0x16D40, 0x16D7F}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F},
    {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E5D0, 0x1E5FF},
};
enum { YOUNG = sizeof young / sizeof *young };

static bool is_young(uint32_t cp) {
    size_t from = 0, to = YOUNG;
    if (cp < young[0].first) return false;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (young[middle].last < cp)
            from = middle + 1;
        else
            to = middle;
    }
    return from < YOUNG && cp >= young[from].first;
}

/* What a character does to a cluster. */
typedef enum {
    STARTS,   /* begins one, and is the same composed */
    CHANGES,  /* begins one; alone it may become something else */
    CONTINUES /* belongs to the one before it */
} Role;

static Role role_of(uint32_t cp) {
    if (cp < 0x300) return STARTS;
    if (cp >= 0x3400 && cp <= 0xD7A3 && (cp <= 0x9FFF || cp >= 0xAC00)) return STARTS; /* ideographs, syllables */
    if (is_young(cp)) return STARTS;
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)cp);
    bool mark = p->category == UTF8PROC_CATEGORY_MN || p->category == UTF8PROC_CATEGORY_MC ||
                p->category == UTF8PROC_CATEGORY_ME;
    bool jamo = (cp >= 0x1161 && cp <= 0x1175) || (cp >= 0x11A8 && cp <= 0x11C2);
    if (mark || jamo || p->combining_class) return CONTINUES;
    return p->decomp_type == 0 && p->decomp_seqindex != UINT16_MAX ? CHANGES : STARTS;
}

/* Bytes of the cluster at the beginning of text; *plain: it is composed already. */
static size_t cluster_cut(Str text, bool *plain) {
    uint32_t cp = 0;
    size_t n = utf8_decode(text, &cp);
    *plain = role_of(cp) == STARTS;
    if (is_young(cp)) return n;
    while (n < text.n && (uint8_t)text.p[n] >= 0xCC) {
        size_t more = utf8_decode(str_from(text, n), &cp);
        if (role_of(cp) != CONTINUES) break;
        n += more;
        *plain = false;
    }
    return n;
}

static uint8_t class_of(utf8proc_int32_t cp) { return (uint8_t)utf8proc_get_property(cp)->combining_class; }

/* Stable, by combining class. The library sorts by swapping neighbours: a text of nothing but marks, of which somebody
 * sends a megabyte, would take it hours. */
static void marks_sort(utf8proc_int32_t *marks, size_t n, utf8proc_int32_t *other /* [n] */) {
    size_t place[257] = {0};
    for (size_t i = 0; i < n; i++) place[class_of(marks[i]) + 1]++;
    for (size_t c = 1; c < 257; c++) place[c] += place[c - 1];
    for (size_t i = 0; i < n; i++) other[place[class_of(marks[i])]++] = marks[i];
    memcpy(marks, other, n * sizeof *marks);
}

/* Canonical decomposition and order of a cluster: the number of code points, at most DECOMPOSED_MAX for each of its. */
enum { DECOMPOSED_MAX = 4 };
static size_t cluster_decompose(Str cluster, utf8proc_int32_t *codes, utf8proc_int32_t *other) {
    size_t n = 0;
    for (size_t at = 0; at < cluster.n;) {
        uint32_t cp = 0;
        at += utf8_decode(str_from(cluster, at), &cp);
        utf8proc_ssize_t more = utf8proc_decompose_char((utf8proc_int32_t)cp, codes + n, DECOMPOSED_MAX,
                                                        UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, NULL);
        if (more < 1 || more > DECOMPOSED_MAX) { /* no code point has so long a one */
            codes[n] = (utf8proc_int32_t)cp;
            more = 1;
        }
        n += (size_t)more;
    }
    for (size_t at = 0, end; at < n; at = end) {
        for (end = at; end < n && class_of(codes[end]);) end++;
        if (end > at + 1) marks_sort(codes + at, end - at, other);
        if (end == at) end++;
    }
    return n;
}

/* Composes one cluster onto the end of out. */
static Err cluster_compose(Str cluster, Buf *out) {
    enum { FEW = 256 };
    utf8proc_int32_t few[2 * FEW], *codes = few;
    size_t room = FEW;
    if (cluster.n > FEW / DECOMPOSED_MAX) { /* as many bytes as code points, at most */
        room = cluster.n * DECOMPOSED_MAX;
        codes = room / DECOMPOSED_MAX == cluster.n ? calloc(room, 2 * sizeof *codes) : NULL;
        if (!codes) return err_set(ERR_NOMEM, "out of memory for composing %zu bytes", cluster.n);
    }
    size_t n = cluster_decompose(cluster, codes, codes + room);
    utf8proc_ssize_t composed =
        utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < composed; i++) {
        char utf8[4];
        buf_add_bytes(out, utf8, utf8_encode((uint32_t)codes[i], utf8));
    }
    if (codes != few) free(codes);
    if (composed < 0)
        return err_set(ERR_INTERNAL, "cannot compose %zu bytes: %s", cluster.n, utf8proc_errmsg(composed));
    return ERR_OK;
}

/* How far the text can be walked at a glance: characters below U+0300 without a mark behind them (marks begin at byte
 * 0xCC). */
static size_t plain_glance(Str text, size_t at) {
    while (at < text.n) {
        size_t next = at + ((uint8_t)text.p[at] < 0x80 ? 1 : 2);
        if ((uint8_t)text.p[at] >= 0xCC || (next < text.n && (uint8_t)text.p[next] >= 0xCC)) break;
        at = next;
    }
    return at;
}

/* The first byte of the first cluster that is not plain; text.n when all are. */
static size_t plain_until(Str text) {
    for (size_t at = plain_glance(text, 0); at < text.n; at = plain_glance(text, at)) {
        bool plain = true;
        size_t n = cluster_cut(str_from(text, at), &plain);
        if (!plain) return at;
        at += n;
    }
    return text.n;
}

Err tok_nfc(Str text, Arena *a, Str *out) {
    *out = text;
    size_t at = plain_until(text);
    if (at == text.n) return ERR_OK;
    Buf buf = {0};
    Err err = ERR_OK;
    buf_reserve(&buf, text.n);
    buf_add(&buf, str_upto(text, at));
    while (at < text.n && !err) {
        bool plain = true;
        size_t n = cluster_cut(str_from(text, at), &plain);
        Str cluster = str_make(text.p + at, n);
        if (plain)
            buf_add(&buf, cluster);
        else
            err = cluster_compose(cluster, &buf);
        at += n;
    }
    if (!err) err = buf_ok(&buf);
    if (!err) {
        *out = arena_str(a, buf_str(&buf));
        if (!out->p) err = arena_error();
    }
    buf_free(&buf);
    return err;
}

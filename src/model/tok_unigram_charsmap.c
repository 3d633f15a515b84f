/* tok_unigram_charsmap.c - as the reference (Hugging Face's Precompiled) applies the map, which is not as SentencePiece
 * does: it goes by grapheme clusters. One of up to five bytes is replaced whole by what its shortest prefix in the map
 * gives, the rest of it dropped; of any other each character is replaced by itself. SentencePiece takes the longest
 * match wherever it ends. They differ on a few texts (half-width katakana with a voicing mark; '\r\n', which is one
 * space here), and models are used with the reference's ids.
 */
#include "model/tok_unigram_charsmap.h"

#include <utf8proc.h>

#include "base/utf8.h"

enum { CLUSTER_WHOLE_MAX = 5 }; /* bytes */
/* Bytes; the longest of NFKC has 33. A hostile map must not make a text a thousandfold. */
enum { REPLACEMENT_MAX = 128 };

/* ---- the trie ---- */

static uint32_t u32_at(const char *p) {
    const uint8_t *b = (const uint8_t *)p;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint32_t unit_offset(uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }
static uint32_t unit_label(uint32_t unit) { return unit & (1u << 31 | 0xFF); }

static Str replacement_at(const TokCharsmap *m, uint32_t at) {
    if (at >= m->replacements.n) return (Str){NULL, 0};
    Str rest = str_from(m->replacements, at);
    rest.n = (size_t)str_find_char(rest, '\0'); /* there is one: the last byte */
    return rest.n > REPLACEMENT_MAX ? (Str){NULL, 0} : rest;
}

/* What the shortest prefix of s in the map becomes; p NULL when there is none. */
static Str shortest_find(const TokCharsmap *m, Str s) {
    if (m->n_units == 0) return (Str){NULL, 0};
    size_t node = unit_offset(u32_at(m->units));
    for (size_t i = 0; i < s.n && s.p[i]; i++) {
        node ^= (uint8_t)s.p[i];
        if (node >= m->n_units) break;
        uint32_t unit = u32_at(m->units + 4 * node);
        if (unit_label(unit) != (uint8_t)s.p[i]) break;
        node ^= unit_offset(unit);
        if (unit >> 8 & 1)
            return node < m->n_units ? replacement_at(m, u32_at(m->units + 4 * node) & 0x7FFFFFFF) : (Str){NULL, 0};
    }
    return (Str){NULL, 0};
}

Err tok_charsmap_open(TokCharsmap *m, Str bytes, const char *name) {
    *m = (TokCharsmap){0};
    if (bytes.n == 0) return ERR_OK;
    size_t trie = bytes.n < 4 ? 0 : u32_at(bytes.p);
    if (bytes.n < 4 || trie > bytes.n - 4 || trie % 4)
        return err_set(ERR_CORRUPT, "model '%s': 'tokenizer.ggml.precompiled_charsmap' has %zu bytes and a trie of %zu",
                       name, bytes.n, trie);
    m->units = bytes.p + 4;
    m->n_units = trie / 4;
    m->replacements = str_from(bytes, 4 + trie);
    while (m->replacements.n && m->replacements.p[m->replacements.n - 1]) m->replacements.n--;
    for (unsigned b = 0; b < 128; b++) {
        char c = (char)b;
        m->ascii[b] = shortest_find(m, str_make(&c, 1));
    }
    return ERR_OK;
}

/* ---- applying ---- */

/* What the reference takes for a mark that goes with the character before it, and a library of Unicode 15 does not:
 * found by asking both about every code point. */
static const struct {
    uint32_t first, last;
} young_marks[] = {
    {0x897, 0x897},     {0x1ACF, 0x1ADD},   {0x1AE0, 0x1AEB},   {0x10D69, 0x10D6D}, {0x10EFA, 0x10EFC},
    {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D0},
    {0x113D2, 0x113D2}, {0x113E1, 0x113E2}, {0x11B60, 0x11B67}, {0x11F5A, 0x11F5A}, {0x1611E, 0x1612F},
    {0x1E5EE, 0x1E5EF}, {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
};

/* Is there a boundary between two neighbours? Pairs decide: the rules that look further back are about clusters longer
 * than CLUSTER_WHOLE_MAX, where it does not matter. */
static bool cluster_breaks(uint32_t a, uint32_t b) {
    for (size_t i = 0; i < sizeof young_marks / sizeof *young_marks && b >= young_marks[i].first; i++)
        if (b <= young_marks[i].last) b = 0x300; /* any mark */
    if (a == 0x113D1) a = 0x600;                 /* any that goes with the character behind it */
    if (a == 0x11A3A) a = 'a';                   /* no longer one */
    return utf8proc_grapheme_break((utf8proc_int32_t)a, (utf8proc_int32_t)b);
}

/* Bytes of the grapheme cluster at the beginning of s; *first: those of its first character. */
static size_t cluster_cut(Str s, size_t *first) {
    uint32_t cp = 0, next = 0;
    size_t n = *first = utf8_decode(s, &cp);
    while (n < s.n) {
        size_t more = utf8_decode(str_from(s, n), &next);
        if (cluster_breaks(cp, next)) break;
        n += more;
        cp = next;
    }
    return n;
}

static void char_apply(const TokCharsmap *m, Str c, Buf *out) {
    Str to = shortest_find(m, c);
    buf_add(out, to.p ? to : c);
}

static void cluster_apply(const TokCharsmap *m, Str cluster, size_t first, Buf *out) {
    if (cluster.n > first && cluster.n <= CLUSTER_WHOLE_MAX) {
        Str to = shortest_find(m, cluster);
        if (to.p) {
            buf_add(out, to);
            return;
        }
    }
    for (size_t at = 0, n = first; at < cluster.n; at += n) {
        uint32_t cp;
        n = utf8_decode(str_from(cluster, at), &cp);
        char_apply(m, str_make(cluster.p + at, n), out);
    }
}

void tok_charsmap_apply(const TokCharsmap *m, Str text, Buf *out) {
    if (m->n_units == 0) {
        buf_add(out, text);
        return;
    }
    for (size_t at = 0, n; at < text.n; at += n) {
        /* A run of ASCII that stays as it is: each of it a cluster, but for the last before a mark. */
        for (n = at; n < text.n && (uint8_t)text.p[n] < 0x80 && !m->ascii[(uint8_t)text.p[n]].p;) n++;
        if (n > at && n < text.n && (uint8_t)text.p[n] >= 0x80) n--;
        if (n > at) {
            buf_add(out, str_make(text.p + at, n - at));
            n -= at;
            continue;
        }
        size_t first = 1;
        n = cluster_cut(str_from(text, at), &first);
        cluster_apply(m, str_make(text.p + at, n), first, out);
    }
}

/* tok_added.c - a sorted list stands in for a trie: the candidates at a place are a range of it, and each further byte
 * narrows the range by bisection. Vocabularies have up to some 6,000 such tokens (Gemma), of which a text's bytes begin
 * few: most places are done with one look at `first`. */
#include "model/tok_added.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "model/tok_space.h"
#include "model/tok_vocab.h"

static int by_text(const void *a, const void *b) {
    const TokAddedText *x = a, *y = b;
    int order = str_cmp(x->text, y->text);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

Err tok_added_open(TokAdded *added, Tok *t, const int32_t *types, int32_t left_strips) {
    size_t count = 0;
    for (size_t i = 0; i < t->n; i++) count += tok_type_is_added(types[i]) && t->texts[i].n > 0;
    *added = (TokAdded){.left_strips = left_strips};
    added->all = arena_array(&t->arena, TokAddedText, count);
    if (!added->all) return arena_error();
    for (size_t i = 0; i < t->n; i++)
        if (tok_type_is_added(types[i]) && t->texts[i].n > 0)
            added->all[added->n++] = (TokAddedText){t->texts[i], (int32_t)i, types[i] != TOK_TYPE_USER_DEFINED};
    qsort(added->all, added->n, sizeof *added->all, by_text);
    size_t at = 0;
    for (unsigned b = 0; b < 256; b++) {
        added->first[b] = (uint32_t)at;
        while (at < added->n && (uint8_t)added->all[at].text.p[0] == b) at++;
    }
    added->first[256] = (uint32_t)at;
    t->added = added;
    return ERR_OK;
}

/* The first of all[from, to), which share `depth` bytes, whose next byte is b or more; a text that ends there is
 * less. */
static size_t bisect(const TokAdded *added, size_t from, size_t to, size_t depth, unsigned b) {
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        Str text = added->all[middle].text;
        if (text.n == depth || (uint8_t)text.p[depth] < b)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The longest that stands at text[at], without control tokens where that is plain text: its place in `all`, or -1. */
static ptrdiff_t longest_at(const TokAdded *added, Str text, size_t at, bool plain) {
    uint8_t byte = (uint8_t)text.p[at];
    size_t from = added->first[byte], to = added->first[byte + 1];
    ptrdiff_t best = -1;
    for (size_t depth = 1; from < to; depth++) {
        /* Those that end here come first; of equal texts the last id counts. */
        for (; from < to && added->all[from].text.n == depth; from++)
            if (!plain || !added->all[from].control) best = (ptrdiff_t)from;
        if (at + depth >= text.n) break;
        byte = (uint8_t)text.p[at + depth];
        from = bisect(added, from, to, depth, byte);
        to = bisect(added, from, to, depth, byte + 1u);
    }
    return best;
}

static bool is_plain(const TokSink *sink, size_t at) {
    size_t low = 0, high = sink->n_plain;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sink->plain[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sink->n_plain && sink->plain[low] == at;
}

bool tok_added_next(const TokAdded *added, Str text, size_t from, const TokSink *sink, TokAddedHit *hit) {
    for (size_t at = from; at < text.n; at++) {
        uint8_t byte = (uint8_t)text.p[at];
        if (added->first[byte] == added->first[byte + 1]) continue;
        ptrdiff_t best = longest_at(added, text, at, false);
        if (best >= 0 && added->all[best].control && is_plain(sink, at)) best = longest_at(added, text, at, true);
        if (best < 0) continue;
        const TokAddedText *found = &added->all[best];
        *hit = (TokAddedHit){at, at + found->text.n, found->id};
        if (found->id == added->left_strips)
            while (hit->start > from) {
                size_t n = tok_space_before(str_make(text.p + from, hit->start - from));
                if (n == 0) break;
                hit->start -= n;
            }
        return true;
    }
    return false;
}

static Err fragment_between(Str text, size_t from, size_t to, TokFragment fragment, void *ctx) {
    return from < to ? fragment(ctx, str_make(text.p + from, to - from)) : ERR_OK;
}

Err tok_added_encode(const TokAdded *added, Str text, TokSink *sink, TokFragment fragment, void *ctx) {
    Buf repaired = {0};
    Err err = ERR_OK;
    if (!utf8_valid(text)) {
        utf8_repair(&repaired, text);
        err = buf_ok(&repaired);
        text = buf_str(&repaired);
    }
    TokAddedHit hit;
    size_t at = 0;
    for (; !err && tok_added_next(added, text, at, sink, &hit); at = hit.end) {
        err = fragment_between(text, at, hit.start, fragment, ctx);
        if (!err) tok_sink_add(sink, hit.id);
    }
    if (!err) err = fragment_between(text, at, text.n, fragment, ctx);
    buf_free(&repaired);
    return err;
}

/* A control token stands at text[at], or one begins there and reaches `end`. */
static bool control_at(const TokAdded *added, Str text, size_t at, size_t end) {
    size_t from = added->first[(uint8_t)text.p[at]], to = added->first[(uint8_t)text.p[at] + 1];
    for (size_t depth = 1; from < to; depth++) {
        for (; from < to && added->all[from].text.n == depth; from++)
            if (added->all[from].control) return true;
        if (at + depth >= end) break;
        uint8_t byte = (uint8_t)text.p[at + depth];
        from = bisect(added, from, to, depth, byte);
        to = bisect(added, from, to, depth, byte + 1u);
    }
    for (; from < to; from++)
        if (added->all[from].control) return true;
    return false;
}

bool tok_added_control(const TokAdded *added, Str text, size_t from, size_t *at) {
    size_t end = text.n;
    for (size_t space; (space = tok_space_before(str_upto(text, end))) > 0;) end -= space;
    for (*at = from; *at < end; ++*at)
        if (control_at(added, text, *at, end)) return true;
    return false;
}

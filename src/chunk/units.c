/* units.c - from a text to units: its lines that are not blank, those longer than the budget cut into pieces.
 *
 * A long line is cut into pieces of about equal weight rather than full ones and a rest: a paragraph of 260 tokens
 * under a budget of 254 becomes two of 130. Where to cut is guessed from the line's bytes a token, moved to the best
 * blank near there (behind a sentence, behind a comma or bracket, any), and only then counted; so a line of a megabyte
 * costs about two counts of each byte.
 */
#include "base/utf8.h"
#include "chunk/unit.h"

enum { INDENT_MAX = 1000, TAB = 4 }; /* longer indentation is left out of the chunk */

static size_t skip_blanks(Str text, size_t at, size_t end) {
    while (at < end && is_blank_byte(text.p[at])) at++;
    return at;
}

static size_t trim_end(Str text, size_t start, size_t end) {
    while (end > start && is_blank_byte(text.p[end - 1])) end--;
    return end;
}

static uint16_t indent_of(Str text, size_t start, size_t first) {
    size_t columns = 0;
    for (size_t i = start; i < first && columns < INDENT_MAX; i++)
        columns = text.p[i] == '\t' ? (columns / TAB + 1) * TAB : columns + 1;
    return (uint16_t)columns;
}

/* first: where the blanks at the start end. */
static size_t weight_of(Str text, size_t start, size_t first, size_t end, const ChunkOpts *opts) {
    const size_t tokens = opts->count_tokens(opts->count_ctx, str_make(text.p + start, end - start));
    /* Half of what a chunk may have: the other half is for indentation and blank lines, which are not counted here. */
    const size_t per_token = CHUNK_BYTES_PER_TOKEN / 2, by_bytes = (end - first + per_token - 1) / per_token;
    return tokens > by_bytes ? tokens : by_bytes;
}

static Err unit_add(Units *u, Unit unit) {
    buf_add_bytes(&u->buf, &unit, sizeof unit);
    u->n++;
    return u->buf.failed ? buf_ok(&u->buf) : ERR_OK;
}

/* How good a place the blank at text.p[at] is to cut a line: 3 behind a sentence, 2 behind a comma or bracket, 1
 * any. */
static int blank_rank(Str text, size_t at) {
    const char c = at ? text.p[at - 1] : 0;
    if (c == '.' || c == '!' || c == '?') return 3;
    return c && strchr(",;:)]}>", c) ? 2 : 1;
}

/* Where to end a piece that starts at `start` and should have about `aim` bytes: start < result <= end. */
static size_t piece_end(Str text, size_t start, size_t end, size_t aim) {
    if (aim >= end - start) return end;
    if (aim == 0) aim = 1;
    const size_t from = start + aim - aim / 3, to = end - start - aim > aim / 8 ? start + aim + aim / 8 : end;
    size_t best = 0;
    int best_rank = 0;
    for (size_t i = from; i < to; i++) {
        if (!is_blank_byte(text.p[i])) continue;
        const int rank = blank_rank(text, i);
        if (rank >= best_rank) best = i, best_rank = rank;
    }
    if (best > start) return best;
    const Str rest = str_make(text.p + start, end - start);
    const size_t n = utf8_floor(rest, aim);
    uint32_t cp;
    return start + (n ? n : utf8_decode(rest, &cp));
}

/* Cuts the line [start, end) that weighs `weight`, more than the budget. */
static Err line_split(Units *u, Str text, Unit line, size_t weight, const ChunkOpts *opts) {
    const size_t end = line.end, bytes = end - line.start;
    const size_t target = opts->target_tokens, pieces = (weight + target - 1) / target;
    const size_t even = bytes / pieces + 1, before = u->n;
    for (size_t at = line.start; at < end;) {
        const size_t first = skip_blanks(text, at, end);
        if (at != line.start || first - at > even / 2) at = first; /* the first piece keeps its indentation */
        size_t stop = piece_end(text, at, end, end - at < even + even / 4 ? end - at : even), piece_weight;
        for (;;) {
            stop = trim_end(text, at, stop);
            piece_weight = weight_of(text, at, first, stop, opts);
            if (piece_weight <= opts->max_tokens) break;
            const size_t n = stop - at;
            /* A tenth less than the proportion says; at most half, lest an odd word lead far off. */
            size_t aim = (size_t)((double)n * 0.9 * (double)opts->max_tokens / (double)piece_weight);
            if (aim < n / 2) aim = n / 2;
            const size_t shorter = trim_end(text, at, piece_end(text, at, stop, aim));
            if (shorter <= first || shorter >= stop) break; /* a single code point */
            stop = shorter;
        }
        Unit piece = line;
        piece.start = (uint32_t)at, piece.end = (uint32_t)stop;
        piece.weight = (uint32_t)(piece_weight ? piece_weight : 1);
        if (u->n > before) piece.flags = UNIT_PIECE;
        TRY(unit_add(u, piece));
        at = skip_blanks(text, stop, end);
    }
    return ERR_OK;
}

Err units_read(Units *u, Str text, const ChunkOpts *opts) {
    bool after_blank = true;
    uint32_t number = 0;
    for (size_t at = 0; at < text.n;) {
        const ptrdiff_t newline = str_find_char(str_from(text, at), '\n');
        const size_t next = newline < 0 ? text.n : at + (size_t)newline + 1;
        const size_t first = skip_blanks(text, at, next), end = trim_end(text, at, next);
        number++;
        if (first < next) {
            const size_t start = first - at > INDENT_MAX ? first : at;
            const size_t weight = weight_of(text, start, first, end, opts);
            const Unit line = {.start = (uint32_t)start,
                               .end = (uint32_t)end,
                               .line = number,
                               .weight = (uint32_t)(weight ? weight : 1),
                               .indent = indent_of(text, at, first),
                               .flags = after_blank ? UNIT_AFTER_BLANK : 0};
            TRY(weight > opts->max_tokens ? line_split(u, text, line, weight, opts) : unit_add(u, line));
        }
        after_blank = first >= next;
        at = next;
    }
    return ERR_OK;
}

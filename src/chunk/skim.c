/* skim.c - coarse chunks, see chunk_skim.
 *
 * One pass over the lines. Of the places where the chunk in hand could end the best of its second half is remembered:
 * before a line at the left margin behind a blank one, which in most languages begins a definition; behind a blank
 * line; at any line.
 */
#include "base/utf8.h"
#include "chunk/chunk.h"
#include "chunk/unit.h"

typedef enum { END_LINE, END_BLANK, END_MARGIN, END_RANKS } EndRank;

typedef struct {
    Arena *arena;
    const Doc *doc;
    Buf chunks; /* Chunk[n] */
    size_t n;
} Skim;

/* A place between two lines. */
typedef struct {
    size_t at;    /* byte where the next line starts */
    int32_t line; /* its number */
} Mark;

static size_t first_not_blank(Str text, size_t at, size_t end) {
    while (at < end && is_blank_byte(text.p[at])) at++;
    return at;
}

/* Blank text gives no chunk. to: the line behind it. */
static Err chunk_add(Skim *s, Mark from, Mark to) {
    const Str text = s->doc->text;
    size_t start = from.at, end = to.at;
    int32_t line = from.line;
    while (end > start && is_blank_byte(text.p[end - 1])) end--;
    for (size_t first = first_not_blank(text, start, end), i = start; i < first; i++)
        if (text.p[i] == '\n') start = i + 1, line++;
    if (start == end) return ERR_OK;
    if (s->n == CHUNK_MAX)
        return err_set(ERR_LIMIT, "'%.*s' gives more than %d chunks", STR_FMT(s->doc->path), CHUNK_MAX);
    const Str span = str_make(text.p + start, end - start);
    int32_t last = line;
    for (size_t i = 0; i < span.n; i++) last += span.p[i] == '\n';
    const Chunk c = {.start = (int64_t)start,
                     .end = (int64_t)end,
                     .start_line = line,
                     .end_line = last,
                     .tokens = CHUNK_COARSE,
                     .symbol = STR(""),
                     .names = STR(""),
                     .kind = STR("lines"),
                     .heading = STR(""),
                     .hash = chunk_hash_of(span)};
    buf_add_bytes(&s->chunks, &c, sizeof c);
    s->n++;
    return s->chunks.failed ? buf_ok(&s->chunks) : ERR_OK;
}

/* Pieces of a line that is longer than a chunk; *from is behind the last full one then. */
static Err line_cut(Skim *s, Mark *from, size_t end) {
    const Str text = s->doc->text;
    while (end - from->at > CHUNK_SKIM_BYTES) {
        const Str rest = str_make(text.p + from->at, end - from->at);
        size_t n = CHUNK_SKIM_BYTES;
        while (n > CHUNK_SKIM_BYTES / 2 && !is_blank_byte(rest.p[n])) n--;
        if (n == CHUNK_SKIM_BYTES / 2) n = utf8_floor(rest, CHUNK_SKIM_BYTES);
        if (n == 0) n = CHUNK_SKIM_BYTES;
        TRY(chunk_add(s, *from, (Mark){from->at + n, from->line}));
        from->at = first_not_blank(text, from->at + n, end);
    }
    return ERR_OK;
}

static EndRank rank_of(Str text, size_t at, bool after_blank) {
    if (!after_blank) return END_LINE;
    return is_blank_byte(text.p[at]) || strchr("})]", text.p[at]) ? END_BLANK : END_MARGIN;
}

static Err lines_cut(Skim *s) {
    const Str text = s->doc->text;
    Mark from = {0, 1}, best[END_RANKS] = {{0}};
    int32_t line = 1;
    bool after_blank = false;
    for (size_t at = 0, next; at < text.n; at = next, line++) {
        const ptrdiff_t newline = str_find_char(str_from(text, at), '\n');
        next = newline < 0 ? text.n : at + (size_t)newline + 1;
        const bool blank = first_not_blank(text, at, next) == next;
        if (at - from.at >= CHUNK_SKIM_BYTES / 2 && !blank) best[rank_of(text, at, after_blank)] = (Mark){at, line};
        while (next - from.at > CHUNK_SKIM_BYTES && at > from.at) {
            size_t rank = END_RANKS - 1;
            while (rank > 0 && best[rank].at <= from.at) rank--;
            const Mark to = best[rank].at > from.at ? best[rank] : (Mark){at, line};
            TRY(chunk_add(s, from, to));
            from = to;
        }
        if (next - from.at > CHUNK_SKIM_BYTES) TRY(line_cut(s, &from, next));
        after_blank = blank;
    }
    return chunk_add(s, from, (Mark){text.n, line});
}

Err chunk_skim(Arena *a, const Doc *doc, DocChunks *out) {
    Skim s = {.arena = a, .doc = doc};
    *out = (DocChunks){.by = "lines"};
    Err err = lines_cut(&s);
    out->chunks = err ? NULL : arena_array(a, Chunk, s.n);
    if (!err && !out->chunks) err = arena_error();
    if (!err && s.n) memcpy(out->chunks, s.chunks.p, s.n * sizeof *out->chunks);
    if (!err) out->n = s.n;
    buf_free(&s.chunks);
    return err;
}

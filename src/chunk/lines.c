/* lines.c - see lines.h. */
#include "chunk/lines.h"

#include "base/utf8.h"

enum { TAB_COLUMNS = 4, BYTES_A_TOKEN = 4 };

typedef struct {
    Arena *arena;
    Str text;
    const ChunkOpts *opts;
    Line *lines;
    size_t n, cap;
} Measure;

static int32_t indent_of(Str line) {
    int32_t columns = 0;
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == ' ')
            columns++;
        else if (line.p[i] == '\t')
            columns += TAB_COLUMNS - columns % TAB_COLUMNS;
        else if (line.p[i] == '\r' || line.p[i] == '\f' || line.p[i] == '\v')
            continue;
        else
            return columns;
    }
    return -1;
}

static size_t count(const Measure *m, Str s) { return m->opts->count_tokens(m->opts->count_ctx, s); }

static Err push(Measure *m, Line line) {
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 256;
        Line *more = arena_array(m->arena, Line, cap);
        if (!more) return arena_error();
        if (m->n) memcpy(more, m->lines, m->n * sizeof *more);
        m->lines = more;
        m->cap = cap;
    }
    m->lines[m->n++] = line;
    return ERR_OK;
}

/* Where to cut s so that the head has at most max tokens: guessed from the tokens a byte seen, moved back to a blank in the
 * second half when there is one. One code point is always taken, so that every cut makes progress. */
static size_t piece_end(const Measure *m, Str s, uint32_t *tokens) {
    size_t max = m->opts->max_tokens, n = s.n < max * BYTES_A_TOKEN ? s.n : utf8_floor(s, max * BYTES_A_TOKEN);
    for (;;) {
        size_t got = count(m, str_upto(s, n));
        *tokens = (uint32_t)got;
        if (got <= max) break;
        size_t guess = n * max / got;
        if (guess >= n) guess = n - 1;
        uint32_t cp;
        size_t least = utf8_decode(s, &cp);
        n = guess > least ? utf8_floor(s, guess) : least;
        if (n <= least) return *tokens = (uint32_t)count(m, str_upto(s, least)), least;
    }
    if (n == s.n) return n;
    for (size_t back = n; back > n / 2; back--) {
        if (s.p[back - 1] != ' ' && s.p[back - 1] != '\t') continue;
        size_t fewer = count(m, str_upto(s, back));
        if (fewer > max) break;
        return *tokens = (uint32_t)fewer, back;
    }
    return n;
}

static Err push_pieces(Measure *m, Line whole) {
    Str rest = line_text(m->text, &whole);
    for (bool first = true; rest.n; first = false) {
        Line l = whole;
        size_t n = piece_end(m, rest, &l.tokens);
        l.start = (size_t)(rest.p - m->text.p);
        l.end = l.start + n;
        l.piece = !first;
        l.indent = indent_of(str_upto(rest, n));
        TRY(push(m, l));
        rest = str_from(rest, n);
    }
    return ERR_OK;
}

Err lines_measure(Arena *a, Str text, const ChunkOpts *opts, Line **out, size_t *n) {
    Measure m = {.arena = a, .text = text, .opts = opts};
    size_t at = 0;
    for (int32_t number = 1; at < text.n; number++) {
        if (number == INT32_MAX) return err_set(ERR_LIMIT, "a text of more than %d lines", INT32_MAX - 1);
        const char *nl = memchr(text.p + at, '\n', text.n - at);
        size_t end = nl ? (size_t)(nl - text.p) : text.n, next = nl ? end + 1 : end;
        Line l = {.start = at, .end = end, .number = number, .indent = indent_of(str_make(text.p + at, end - at))};
        /* A line far over the budget is cut without counting it whole first. */
        bool huge = end - at > opts->max_tokens * 64;
        if (!huge) l.tokens = (uint32_t)count(&m, str_make(text.p + at, next - at));
        if (l.indent >= 0 && (huge || l.tokens > opts->max_tokens))
            TRY(push_pieces(&m, l));
        else
            TRY(push(&m, l));
        at = next;
    }
    *out = m.lines;
    *n = m.n;
    return ERR_OK;
}

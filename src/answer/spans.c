/* spans.c - see spans.h. */
#include "answer/spans.h"

#include "base/ascii.h"

enum { TITLE_BYTES_MAX = 80 };

typedef struct {
    Arena *a;
    Str text;
    Span *spans;
    size_t n, cap;
} Cut;

bool spans_is_prose(Str lang) {
    static const char *const langs[] = {"",     "text", "markdown", "rst", "asciidoc", "org", "html", "pdf",
                                        "docx", "pptx", "odt",      "odp", "epub",     "rtf", "mail", "tex"};
    for (size_t i = 0; i < sizeof langs / sizeof *langs; i++)
        if (str_is(lang, langs[i])) return true;
    return false;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

static Err span_add(Cut *c, size_t start, size_t end, bool heading) {
    while (start < end && is_space(c->text.p[start])) start++;
    while (end > start && is_space(c->text.p[end - 1])) end--;
    if (start == end) return ERR_OK;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 32;
        Span *more = arena_array(c->a, Span, cap);
        if (!more) return arena_error();
        if (c->n) memcpy(more, c->spans, c->n * sizeof *more);
        c->spans = more;
        c->cap = cap;
    }
    c->spans[c->n++] = (Span){start, end, heading};
    return ERR_OK;
}

/* In pieces of at most SPAN_BYTES_MAX. */
static Err piece_add(Cut *c, size_t start, size_t end, bool heading) {
    while (end - start > SPAN_BYTES_MAX) {
        size_t at = start + SPAN_BYTES_MAX;
        while (at > start && !is_space(c->text.p[at])) at--;
        if (at == start) {
            at = start + SPAN_BYTES_MAX;
            while (at > start + 1 && ((unsigned char)c->text.p[at] & 0xC0) == 0x80) at--;
        }
        TRY(span_add(c, start, at, heading));
        start = at;
    }
    return span_add(c, start, end, heading);
}

/* ---- prose ---- */

/* The word that a point at `at` ends, without the point. */
static Str word_before(Str text, size_t from, size_t at) {
    size_t start = at;
    while (start > from && !is_space(text.p[start - 1]) && text.p[start - 1] != '(') start--;
    return str_make(text.p + start, at - start);
}

static bool is_abbreviation(Str word) {
    static const char *const words[] = {"e.g", "i.e", "etc", "vs",   "cf",  "Dr",     "Mr",  "Mrs", "Ms",
                                        "St",  "No",  "no",  "Fig",  "fig", "Sec",    "sec", "Eq",  "eq",
                                        "Vol", "vol", "pp",  "ed",   "al",  "approx", "Jan", "Feb", "Mar",
                                        "Apr", "Aug", "Sep", "Sept", "Oct", "Nov",    "Dec", "Inc", "Ltd"};
    if (word.n == 1 && is_upper(word.p[0])) return true;                              /* an initial */
    if (word.n >= 3 && word.p[1] == '.' && is_upper(word.p[word.n - 1])) return true; /* U.S */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(word, words[i])) return true;
    return false;
}

static bool is_mark(char c) { return c == '.' || c == '!' || c == '?'; }

size_t span_sentence_end(Str text, size_t from, size_t at, size_t end) {
    const char mark = text.p[at];
    size_t behind = at + 1;
    if (!is_mark(mark) || (behind < end && is_mark(text.p[behind]))) return 0; /* the last of "..." and "?!" */
    while (behind < end && strchr("\"')]}", text.p[behind])) behind++;
    if (behind < end && !is_space(text.p[behind])) return 0; /* 3.14, a.c, x.y */
    size_t next = behind;
    while (next < end && is_space(text.p[next])) next++;
    if (next < end && is_lower(text.p[next])) return 0;
    if (mark == '.' && is_abbreviation(word_before(text, from, at))) return 0;
    return behind;
}

/* "- ", "* ", "12. ", "3) " at the start of a line. */
static bool is_item(Str line) {
    while (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) line = str_from(line, 1);
    size_t digits = 0;
    while (digits < line.n && is_digit(line.p[digits])) digits++;
    if (digits > 0 && digits < 4)
        return line.n > digits + 1 && (line.p[digits] == '.' || line.p[digits] == ')') && line.p[digits + 1] == ' ';
    return line.n > 1 && strchr("-*+", line.p[0]) && line.p[1] == ' ';
}

/* A short line that stands alone beside others and holds no sentence. */
static bool is_title(const Cut *c, size_t start, size_t end) {
    const Str line = str_trim(str_make(c->text.p + start, end - start));
    if ((start == 0 && end == c->text.n) || line.n == 0 || line.n > TITLE_BYTES_MAX) return false;
    if (str_find_char(line, '\n') >= 0 || is_item(line) || strchr(".!?:;\"')]", line.p[line.n - 1])) return false;
    for (size_t at = 0; at < line.n; at++)
        if (span_sentence_end(line, 0, at, line.n)) return false;
    return true;
}

static Err paragraph(Cut *c, size_t start, size_t end) {
    size_t from = start;
    if (is_title(c, start, end)) return piece_add(c, start, end, true);
    for (size_t at = start; at < end; at++) {
        const size_t behind = span_sentence_end(c->text, from, at, end);
        if (!behind) continue;
        TRY(piece_add(c, from, behind, false));
        from = behind;
        at = behind - 1;
    }
    return piece_add(c, from, end, false);
}

static bool is_heading(Str line) { return line.n > 1 && line.p[0] == '#' && strchr("# ", line.p[1]); }

static bool is_empty(Str line) { return str_trim(line).n == 0; }

static Err prose(Cut *c) {
    Str rest = c->text, line;
    size_t from = 0, at = 0;
    while (rest.n) {
        at = c->text.n - rest.n;
        (void)str_line(&rest, &line);
        const size_t next = c->text.n - rest.n;
        if (!is_empty(line) && !is_item(line) && !is_heading(line)) continue;
        TRY(paragraph(c, from, at));
        from = at;
        if (!is_heading(line)) continue;
        TRY(piece_add(c, at, next, true));
        from = next;
    }
    return paragraph(c, from, c->text.n);
}

/* ---- code ---- */

static Err code(Cut *c) {
    Str rest = c->text, line;
    size_t from = 0, lines = 0;
    while (rest.n) {
        const size_t at = c->text.n - rest.n;
        (void)str_line(&rest, &line);
        if (!is_empty(line) && lines < SPAN_LINES_MAX && c->text.n - rest.n - from <= SPAN_BYTES_MAX) {
            lines++;
            continue;
        }
        TRY(piece_add(c, from, at, false));
        from = at;
        lines = !is_empty(line);
    }
    return piece_add(c, from, c->text.n, false);
}

Err spans_of(Arena *a, Str text, bool is_prose, Span **out, size_t *n) {
    Cut c = {.a = a, .text = text};
    const Err err = is_prose ? prose(&c) : code(&c);
    *out = c.spans;
    *n = err ? 0 : c.n;
    return err;
}

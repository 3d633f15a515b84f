/* docstring.c - see docstring.h. */
#include "chunk/docstring.h"

enum { HEAD_LINES_MAX = 30 }; /* of a Python definition before its string */

typedef struct {
    Str text;
    size_t at, end; /* lines are taken from [at, end) */
    size_t start;   /* of the line that was taken last */
} Lines;

static bool line_next(Lines *l, Str *line) {
    Str rest = str_make(l->text.p + l->at, l->end - l->at);
    l->start = l->at;
    if (!str_line(&rest, line)) return false;
    l->at = l->end - rest.n;
    return true;
}

/* ---- what is said ---- */

/* What begins the part of a comment that is a list of parameters. */
static bool is_list_of_parts(Str line) {
    static const char *const heads[] = {
        "@",       "\\",       ":param",  ":return", ":raise",  ":type",    "args:", "arguments:", "parameters",
        "params:", "returns:", "return:", "raises:", "example", "examples", ">>>",   "note:",      "```"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        const Str head = str_of(heads[i]);
        if (line.n >= head.n && str_eq_nocase(str_upto(line, head.n), head)) return true;
    }
    return false;
}

/* Tags as C# and Java have them say nothing. */
static void add_without_tags(Buf *b, Str line) {
    for (size_t i = 0; i < line.n; i++) {
        const ptrdiff_t close = line.p[i] == '<' ? str_find_char(str_from(line, i), '>') : -1;
        const bool tag =
            close > 1 && close < 40 && (line.p[i + 1] == '/' || (line.p[i + 1] >= 'a' && line.p[i + 1] <= 'z'));
        if (tag)
            i += (size_t)close;
        else
            buf_char(b, line.p[i]);
    }
}

/* Adds a line's words to the paragraph; false: the paragraph is over. */
static bool say(Buf *said, Str words) {
    words = str_trim(words);
    if (words.n == 0) return said->n == 0;
    if (is_list_of_parts(words)) return false;
    if (said->n) buf_char(said, ' ');
    add_without_tags(said, words);
    return true;
}

static Err said_take(Arena *a, Buf *said, Docstring *out, bool *found) {
    Err err = buf_ok(said);
    const Str words = str_trim(buf_str(said));
    *found = words.n > 0;
    if (!err && *found) {
        out->said = arena_str(a, words);
        if (!out->said.p) err = arena_error();
    }
    buf_free(said);
    return err;
}

/* ---- before it ---- */

static bool is_hash_comment(Str lang, Str line) {
    static const char *const langs[] = {"python", "ruby", "bash", "perl",   "yaml",  "toml",
                                        "make",   "r",    "php",  "elixir", "julia", "nim"};
    if (line.p[0] != '#') return false;
    for (size_t i = 0; i < sizeof langs / sizeof *langs; i++)
        if (str_is(lang, langs[i])) return line.n < 2 || (line.p[1] != '!' && line.p[1] != '[');
    return false;
}

static bool is_line_comment(Str lang, Str line) {
    return str_starts(line, STR("//")) || str_starts(line, STR("--")) || line.p[0] == ';' ||
           is_hash_comment(lang, line);
}

/* Without what makes a comment of it on either side. */
static Str without_marks(Str line) {
    line = str_trim(line);
    if (str_ends(line, STR("*/"))) line = str_upto(line, line.n - 2);
    while (line.n && strchr("/*#-;!", line.p[0])) line = str_from(line, 1);
    return str_trim(line);
}

/* One comment of several lines, or several of one; what stands between it and the definition is left. */
static Err before(Arena *a, Str text, Str lang, const Symbol *s, bool *found, Docstring *out) {
    Lines l = {.text = text, .at = (size_t)s->start, .end = (size_t)s->end};
    Str line;
    Buf said = {0};
    bool open = false, saying = true, any = false;
    while (line_next(&l, &line)) {
        const Str shown = str_trim(line);
        const bool block = !open && str_starts(shown, STR("/*"));
        if (!open && !block && (shown.n == 0 || !is_line_comment(lang, shown))) break;
        if (!any) out->start = (int64_t)l.start;
        any = true;
        out->end = (int64_t)l.at;
        saying = saying && say(&said, without_marks(shown));
        const bool closes = str_find(block ? str_from(shown, 2) : shown, STR("*/")) >= 0;
        const bool was_block = open || block;
        open = was_block && !closes;
        if (was_block && closes) break;
    }
    return said_take(a, &said, out, found);
}

/* ---- Python's ---- */

static Str string_open(Str line) {
    while (line.n && strchr("rRuU", line.p[0])) line = str_from(line, 1);
    return str_starts(line, STR("\"\"\"")) || str_starts(line, STR("'''")) ? line : (Str){NULL, 0};
}

/* Leaves the lines behind the head of the definition, whose last line ends with ':'. */
static bool head_skip(Lines *l, Str name) {
    Str line;
    bool named = false;
    for (int i = 0; i < HEAD_LINES_MAX && line_next(l, &line); i++) {
        const ptrdiff_t hash = str_find(line, STR("  #"));
        line = str_trim(hash >= 0 ? str_upto(line, (size_t)hash) : line);
        named = named || str_find(line, name) >= 0;
        if (named && line.n && line.p[line.n - 1] == ':') return true;
    }
    return false;
}

static Err behind(Arena *a, Str text, const Symbol *s, bool *found, Docstring *out) {
    Lines l = {.text = text, .at = (size_t)s->start, .end = (size_t)s->end};
    Str line = {"", 0};
    Buf said = {0};
    *found = false;
    if (!head_skip(&l, s->name)) return ERR_OK;
    while (line_next(&l, &line) && str_trim(line).n == 0) {}
    Str words = string_open(str_trim(line));
    if (!words.p) return ERR_OK;
    const Str quotes = str_upto(words, 3);
    out->start = (int64_t)l.start;
    words = str_from(words, 3);
    for (bool saying = true;;) {
        const ptrdiff_t close = str_find(words, quotes);
        saying = saying && say(&said, close >= 0 ? str_upto(words, (size_t)close) : words);
        out->end = (int64_t)l.at;
        if (close >= 0) break;
        if (!line_next(&l, &words)) {
            buf_free(&said); /* it has no end */
            return ERR_OK;
        }
    }
    return said_take(a, &said, out, found);
}

Err docstring_of(Arena *a, Str text, Str lang, const Symbol *symbol, bool *found, Docstring *out) {
    *found = false;
    *out = (Docstring){.said = STR("")};
    if (symbol->start < 0 || symbol->end < symbol->start || (uint64_t)symbol->end > text.n) return ERR_OK;
    if (str_is(lang, "python")) TRY(behind(a, text, symbol, found, out));
    return *found ? ERR_OK : before(a, text, lang, symbol, found, out);
}

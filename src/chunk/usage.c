/* usage.c - see usage.h. */
#include "chunk/usage.h"
#include "base/ascii.h"

enum { BEFORE_MAX = 60, ARG_MAX = 40, AFTER_MAX = 40, GENERIC_MAX = 80 }; /* bytes of a shape's parts */

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || is_upper(c) || is_digit(c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}
static bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }

static bool is_keyword(Str s) {
    static const char *const words[] = {
        "return", "if",    "while",   "for",    "else",  "elif",   "switch", "await", "yield", "case",
        "assert", "in",    "is",      "not",    "and",   "or",     "throw",  "try",   "new",   "go",
        "defer",  "raise", "unless",  "do",     "true",  "false",  "True",   "False", "null",  "nil",
        "None",   "NULL",  "nullptr", "self",   "this",  "with",   "lambda", "func",  "fn",    "function",
        "async",  "match", "when",    "except", "catch", "delete", "sizeof"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(s, words[i])) return true;
    return false;
}

static bool is_constant(Str s) {
    bool capital = false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_upper(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '_') return false;
        capital = capital || is_upper(s.p[i]);
    }
    return capital && s.n > 1;
}

/* ---- reading ---- */

static size_t name_end(Str s, size_t at) {
    while (at < s.n && is_name(s.p[at])) at++;
    return at;
}

/* Behind the quoted text that begins at `at`; the end of the line or of s where it is not closed. */
static size_t quoted_end(Str s, size_t at) {
    const char quote = s.p[at];
    for (at++; at < s.n && s.p[at] != quote; at++) {
        if (s.p[at] == '\\') at++;
        if (at < s.n && s.p[at] == '\n' && quote != '`') return at;
    }
    return at < s.n ? at + 1 : s.n;
}

/* Behind the bracket that closes the one at `at`; s.n when none does. */
static size_t bracket_end(Str s, size_t at) {
    size_t depth = 0;
    while (at < s.n) {
        const char c = s.p[at];
        if (is_quote(c)) {
            at = quoted_end(s, at);
            continue;
        }
        at++;
        if (strchr("([{", c) && c) depth++;
        if (strchr(")]}", c) && c && --depth == 0) return at;
    }
    return s.n;
}

/* How many bytes at `at` part a thing from its member: ".", "->", "::", "?."; 0: none. */
static size_t member_mark(Str s, size_t at) {
    if (at >= s.n) return 0;
    if (s.p[at] == '.') return at + 1 < s.n && s.p[at + 1] == '.' ? 0 : 1;
    if (at + 1 >= s.n) return 0;
    const Str two = str_make(s.p + at, 2);
    return str_is(two, "->") || str_is(two, "::") || str_is(two, "?.") ? 2 : 0;
}

/* ---- writing ---- */

/* A name with all that it has members of: "_" but where it is a keyword, a constant or called. Behind it is
 * returned. */
static size_t chain_add(Buf *b, Str s, size_t at) {
    size_t from = at, end = name_end(s, at), mark = 0;
    for (;;) {
        while (end < s.n && s.p[end] == '[') end = bracket_end(s, end);
        mark = member_mark(s, end);
        if (!mark || end + mark >= s.n || !is_name(s.p[end + mark])) break;
        from = end + mark;
        end = name_end(s, from);
    }
    const Str last = str_make(s.p + from, name_end(s, from) - from);
    const bool called = end < s.n && s.p[end] == '(' && !is_keyword(last);
    if (from > at && called) buf_add_z(b, "_.");
    if (called || is_keyword(last) || is_constant(last))
        buf_add(b, last);
    else
        buf_char(b, '_');
    if (mark && end + mark == s.n) { /* it is what the name in question belongs to */
        buf_add(b, str_make(s.p + end, mark));
        return s.n;
    }
    return end;
}

/* deep: what calls are given is left out; else only the last call of s is open, and stays so. */
static void shape_add(Buf *b, Str s, bool deep) {
    for (size_t at = 0; at < s.n;) {
        const char c = s.p[at];
        if (is_quote(c)) {
            buf_add_z(b, "\"…\"");
            at = quoted_end(s, at);
        } else if (is_digit(c)) {
            buf_char(b, '0');
            while (at < s.n && (is_name(s.p[at]) || s.p[at] == '.')) at++;
        } else if (is_name(c)) {
            const size_t before = b->n;
            at = chain_add(b, s, at);
            const bool called =
                deep && at < s.n && s.p[at] == '(' && b->n > before && !is_keyword(str_from(buf_str(b), before));
            if (!called) continue;
            at = bracket_end(s, at);
            buf_add_z(b, "(…)");
        } else if (is_blank(c)) {
            if (b->n && b->p[b->n - 1] != ' ') buf_char(b, ' ');
            at++;
        } else {
            buf_char(b, (unsigned char)c < 0x20 || c == 0x7F ? ' ' : c);
            at++;
        }
    }
}

/* "struct x *_ = " and "_ _ = " are "_ = ": what the value is put into. */
static Str without_declaration(Str shape) {
    const ptrdiff_t at = str_find(shape, STR(" = "));
    if (at <= 0) return shape;
    for (ptrdiff_t i = 0; i < at; i++)
        if (strchr("(){};", shape.p[i])) return shape;
    return str_from(shape, (size_t)at - 1); /* the name's own "_" */
}

/* Of what stands before the name on its line; *open: brackets that the line goes on to close. */
static void before_add(Buf *b, Str line, size_t *open) {
    Buf whole = {0};
    while (line.n && is_blank(line.p[0])) line = str_from(line, 1);
    shape_add(&whole, line, false);
    Str s = without_declaration(buf_str(&whole));
    if (s.n > BEFORE_MAX) {
        s = str_from(s, s.n - BEFORE_MAX);
        while (s.n && ((unsigned char)s.p[0] & 0xC0) == 0x80) s = str_from(s, 1);
        buf_add_z(b, "…");
    }
    *open = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '(') (*open)++;
        if (s.p[i] == ')' && *open) (*open)--;
    }
    buf_add(b, s);
    b->failed = b->failed || whole.failed;
    buf_free(&whole);
}

static void arg_add(Buf *b, Str arg) {
    Buf one = {0};
    while (arg.n && is_blank(arg.p[0])) arg = str_from(arg, 1);
    while (arg.n && is_blank(arg.p[arg.n - 1])) arg = str_upto(arg, arg.n - 1);
    shape_add(&one, arg, true);
    buf_add(b, one.n <= ARG_MAX ? buf_str(&one) : STR("_"));
    b->failed = b->failed || one.failed;
    buf_free(&one);
}

/* The arguments within the bracket at s.p[0]; behind it is returned. */
static size_t args_add(Buf *b, Str s, int *args) {
    const size_t end = bracket_end(s, 0);
    const bool closed = end <= s.n && s.p[end - 1] == ')';
    const size_t last = closed ? end - 1 : end;
    size_t from = 1;
    buf_char(b, '(');
    *args = 0;
    for (size_t at = 1; at <= last; at++) {
        if (at < last && is_quote(s.p[at]))
            at = quoted_end(s, at) - 1;
        else if (at < last && strchr("([{", s.p[at]) && s.p[at])
            at = bracket_end(s, at) - 1;
        else if (at == last || s.p[at] == ',') {
            const Str arg = str_make(s.p + from, at - from);
            if (at == last && str_trim(arg).n == 0) break; /* of "()", or behind a last comma */
            if (*args) buf_add_z(b, ", ");
            arg_add(b, arg);
            (*args)++;
            from = at + 1;
        }
    }
    buf_add_z(b, closed ? ")" : "…");
    return end;
}

/* Up to the bracket that closes what was open before the name; else what is done with the value at once. */
static void after_add(Buf *b, Str rest, size_t open) {
    size_t end = 0, depth = open;
    Str line = rest;
    const ptrdiff_t cut = str_find_char(line, '\n');
    if (cut >= 0) line = str_upto(line, (size_t)cut);
    if (open == 0) {
        if (line.n && line.p[0] == '?') buf_char(b, '?');
        return;
    }
    while (end < line.n && depth) {
        const char c = line.p[end++];
        depth += c == '(';
        depth -= c == ')';
    }
    if (depth == 0 && end <= AFTER_MAX)
        shape_add(b, str_upto(line, end), true);
    else
        buf_add_z(b, "…");
}

/* Behind "!" of a macro and "<int>" or "::<int>" of a generic; where a '(' has to be. */
static size_t call_start(Str text, size_t at) {
    if (at < text.n && text.p[at] == '!') at++;
    size_t angle = at;
    if (str_starts(str_from(text, angle), STR("::<"))) angle += 2;
    if (angle < text.n && text.p[angle] == '<') {
        size_t depth = 0;
        for (size_t i = angle; i < text.n && i < angle + GENERIC_MAX; i++) {
            depth += text.p[i] == '<';
            if (text.p[i] == '>' && --depth == 0) return i + 1;
            if (!is_name(text.p[i]) && !strchr("<>:,*&[] ", text.p[i])) break;
        }
    }
    while (at < text.n && text.p[at] == ' ') at++;
    return at;
}

Err usage_of(Arena *a, Str text, size_t at, size_t n, Usage *out) {
    Buf b = {0};
    size_t line = at, open = 0;
    while (line > 0 && text.p[line - 1] != '\n' && at - line < USAGE_BYTES_MAX) line--;
    before_add(&b, str_make(text.p + line, at - line), &open);
    buf_add(&b, str_make(text.p + at, n));
    const size_t call = call_start(text, at + n);
    *out = (Usage){.args = USAGE_ARGS_NONE};
    if (call < text.n && text.p[call] == '(') {
        const Str rest = str_upto(str_from(text, call), USAGE_BYTES_MAX);
        const size_t end = args_add(&b, rest, &out->args);
        after_add(&b, str_from(text, call + end), open);
    }
    Err err = buf_ok(&b);
    Str shape = buf_str(&b);
    if (shape.n > USAGE_SHAPE_MAX) {
        shape = str_upto(shape, USAGE_SHAPE_MAX);
        while (shape.n && ((unsigned char)shape.p[shape.n - 1] & 0xC0) == 0x80) shape = str_upto(shape, shape.n - 1);
        if (shape.n && (unsigned char)shape.p[shape.n - 1] >= 0xC0) shape = str_upto(shape, shape.n - 1);
    }
    if (!err) out->shape = arena_str(a, str_trim(shape));
    buf_free(&b);
    return err ? err : out->shape.p ? ERR_OK : arena_error();
}

/* ---- signatures ---- */

static bool is_no_argument(Str arg) {
    static const char *const none[] = {"", "void", "self", "&self", "&mut self", "mut self", "cls", "this"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (str_is(arg, none[i])) return true;
    return false;
}

void usage_wanted(Str signature, Str *name, int *args) {
    const ptrdiff_t bracket = str_find_char(signature, '(');
    *args = USAGE_ARGS_NONE;
    *name = str_trim(signature);
    if (bracket < 0) return;
    Str before = str_trim(str_upto(signature, (size_t)bracket));
    size_t from = before.n;
    while (from > 0 && (is_name(before.p[from - 1]) || strchr(".:~", before.p[from - 1]))) from--;
    *name = str_from(before, from);
    Buf shape = {0};
    const Str rest = str_upto(str_from(signature, (size_t)bracket), USAGE_BYTES_MAX);
    const size_t end = args_add(&shape, rest, args);
    buf_free(&shape);
    const Str inside = str_make(rest.p + 1, end > 2 ? end - 2 : 0);
    if (str_find(inside, STR("...")) >= 0 || str_find(inside, STR("*")) == 0) *args = USAGE_ARGS_NONE;
    const ptrdiff_t comma = str_find_char(inside, ',');
    const Str first = str_trim(comma >= 0 ? str_upto(inside, (size_t)comma) : inside);
    if (*args > 0 && is_no_argument(first)) (*args)--;
}

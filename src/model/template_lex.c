/* template_lex.c - text to tokens, with Jinja's rules of white space under trim_blocks and lstrip_blocks:
 *
 *     "-%}" "-}}" "-#}"   the white space behind is gone
 *     "%}" "#}"           one end of line right behind is gone ("+%}" keeps it)
 *     "{%-" "{{-" "{#-"   the white space before is gone
 *     "{%" "{#"           blanks between the start of their line and the tag are gone ("{%+" keeps them)
 *
 * "Start of line" is what the reference takes for it: behind an end of line in the text, or behind a tag whose own
 * match swallowed one. Tokens grow in an arena by doubling; a template is read once, at opening.
 */
#include "model/template_lex.h"
#include "base/ascii.h"

#include <stdio.h>

#include "base/utf8.h"
#include "model/tok_space.h"

enum { LEX_BRACKETS_MAX = 128 };

typedef struct {
    Arena *arena;
    const char *name;
    Str source;
    size_t at;
    uint32_t line;
    bool line_starts; /* the last tag ended with an end of line, or nothing was read yet */
    LexToken *tokens;
    size_t n, capacity;
} Lex;

Err template_error(Err code, const char *name, uint32_t line, const char *fmt, ...) {
    char text[640];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(code, "chat template of '%s', line %u: %s", name, line, text);
}

static Err token_add(Lex *l, LexKind kind, uint32_t line, Str text) {
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 256;
        LexToken *tokens = arena_array(l->arena, LexToken, capacity);
        if (!tokens) return arena_error();
        if (l->n) memcpy(tokens, l->tokens, l->n * sizeof *tokens);
        l->tokens = tokens;
        l->capacity = capacity;
    }
    l->tokens[l->n++] = (LexToken){kind, line, text};
    return ERR_OK;
}

static char peek(const Lex *l, size_t ahead) { return ahead < l->source.n - l->at ? l->source.p[l->at + ahead] : '\0'; }

/* Moves on over n bytes, counting lines. */
static void skip(Lex *l, size_t n) {
    for (size_t i = 0; i < n; i++) l->line += l->source.p[l->at + i] == '\n';
    l->at += n;
}

static bool here(const Lex *l, const char *z) { return str_starts(str_from(l->source, l->at), str_of(z)); }

/* Bytes of white space at the start of s, as Python's \s has it. */
static size_t space_length(Str s) {
    size_t at = 0;
    while (at < s.n) {
        uint32_t cp;
        size_t n = utf8_decode(str_from(s, at), &cp);
        if (!tok_is_space(cp) && !(cp >= 0x1C && cp <= 0x1F)) break;
        at += n;
    }
    return at;
}

static Str rstrip(Str s) {
    for (size_t n; s.n && (n = tok_space_before(s)); s.n -= n) {}
    return s;
}

/* ---- text and the ends of tags ---- */

/* Behind a tag: "-" swallows white space, else `trim` says whether one end of line goes along. */
static void after_tag(Lex *l, bool strip, bool trim) {
    size_t start = l->at;
    if (strip)
        skip(l, space_length(str_from(l->source, l->at)));
    else if (trim && peek(l, 0) == '\n')
        skip(l, 1);
    l->line_starts = l->at > start && l->source.p[l->at - 1] == '\n';
}

/* The text before a tag, without what the tag's sign takes away. sign: '-', '+' or another. */
static Str before_tag(const Lex *l, Str text, char sign, bool output) {
    if (sign == '-') return rstrip(text);
    if (sign == '+' || output) return text;
    ptrdiff_t line = str_rfind_char(text, '\n');
    if (line < 0 && !l->line_starts) return text;
    size_t start = (size_t)(line + 1);
    Str rest = str_from(text, start);
    return space_length(rest) == rest.n ? str_upto(text, start) : text;
}

static Err skip_comment(Lex *l) {
    uint32_t line = l->line;
    size_t from = 2u + (peek(l, 2) == '-' || peek(l, 2) == '+'); /* "{#-#}" has no sign at its end */
    ptrdiff_t end = str_find(str_from(l->source, l->at + from), STR("#}"));
    if (end < 0) return template_error(ERR_CORRUPT, l->name, line, "a comment is not closed");
    char sign = end > 0 ? peek(l, from + (size_t)end - 1) : ' ';
    skip(l, from + (size_t)end + 2);
    after_tag(l, sign == '-', sign != '+');
    return ERR_OK;
}

static size_t blanks(Str s, size_t at) { return at + space_length(str_from(s, at)); }

/* A tag of one word, "{%- endraw -%}", at text[at]: its end, or 0; *first and *last are its signs. */
static size_t word_tag(Str text, size_t at, Str word, char *first, char *last) {
    if (!str_starts(str_from(text, at), STR("{%"))) return 0;
    at += 2;
    *first = *last = ' ';
    if (at < text.n && (text.p[at] == '-' || text.p[at] == '+')) *first = text.p[at++];
    at = blanks(text, at);
    if (!str_starts(str_from(text, at), word)) return 0;
    at = blanks(text, at + word.n);
    if (at < text.n && (text.p[at] == '-' || text.p[at] == '+')) *last = text.p[at++];
    return str_starts(str_from(text, at), STR("%}")) ? at + 2 : 0;
}

/* "{% raw %}" … "{% endraw %}": at its end already when this is none. */
static Err read_raw(Lex *l, bool *was) {
    char first, last, end_first = ' ', end_last = ' ';
    uint32_t line = l->line;
    size_t end = word_tag(l->source, l->at, STR("raw"), &first, &last);
    *was = end > 0 && last != '+';
    if (!*was) return ERR_OK;
    skip(l, end - l->at);
    after_tag(l, last == '-', false);
    size_t stop = l->at;
    for (end = 0; stop < l->source.n; stop++) {
        if (l->source.p[stop] != '{') continue;
        end = word_tag(l->source, stop, STR("endraw"), &end_first, &end_last);
        if (end) break;
    }
    if (!end) return template_error(ERR_CORRUPT, l->name, line, "a raw block is not closed");
    Str text = before_tag(l, str_make(l->source.p + l->at, stop - l->at), end_first, false);
    line = l->line;
    skip(l, end - l->at);
    after_tag(l, end_last == '-', end_last != '+');
    return text.n ? token_add(l, LEX_DATA, line, text) : ERR_OK;
}

/* ---- inside tags ---- */

static int hex_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xhh, \uhhhh, \Uhhhhhhhh: the digits at s; false when they are none or no character. */
static bool escape_hex(Str s, size_t digits, uint32_t *cp) {
    *cp = 0;
    if (s.n < digits) return false;
    for (size_t i = 0; i < digits; i++) {
        int h = hex_of(s.p[i]);
        if (h < 0) return false;
        *cp = *cp << 4 | (uint32_t)h;
    }
    return *cp <= 0x10FFFF && !(*cp >= 0xD800 && *cp <= 0xDFFF);
}

/* What stands behind a backslash; *used: its bytes. An unknown escape keeps its backslash, as in Python. */
static bool escape_read(Str s, char out[5], size_t *n, size_t *used) {
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *known = memchr(from, s.p[0], sizeof from - 1);
    uint32_t cp = 0;
    *used = 1;
    if (known) {
        out[0] = to[known - from];
        *n = 1;
        return true;
    }
    if (s.p[0] == '\n') {
        *n = 0;
        return true;
    }
    size_t digits = s.p[0] == 'x' ? 2 : s.p[0] == 'u' ? 4 : s.p[0] == 'U' ? 8 : 0;
    if (digits) {
        if (!escape_hex(str_from(s, 1), digits, &cp)) return false;
        *used = 1 + digits;
    } else if (s.p[0] >= '0' && s.p[0] <= '7') {
        for (*used = 0; *used < 3 && *used < s.n && s.p[*used] >= '0' && s.p[*used] <= '7'; ++*used)
            cp = cp * 8 + (uint32_t)(s.p[*used] - '0');
    } else {
        out[0] = '\\';
        *used = 0;
        *n = 1;
        return true;
    }
    *n = utf8_encode(cp, out);
    return true;
}

static Err read_string(Lex *l) {
    char quote = peek(l, 0);
    uint32_t line = l->line;
    size_t end = l->at + 1;
    bool escapes = false;
    while (end < l->source.n && l->source.p[end] != quote) {
        bool escape = l->source.p[end] == '\\';
        escapes |= escape;
        end += 1 + escape;
    }
    if (end >= l->source.n) return template_error(ERR_CORRUPT, l->name, line, "a string is not closed");
    Str inner = str_make(l->source.p + l->at + 1, end - l->at - 1);
    skip(l, end + 1 - l->at);
    if (!escapes) return token_add(l, LEX_STRING, line, inner);
    char *text = arena_alloc(l->arena, inner.n); /* no escape is shorter than what it stands for */
    size_t n = 0;
    if (!text) return arena_error();
    for (size_t i = 0; i < inner.n;) {
        char bytes[5];
        size_t count = 0, used = 0;
        if (inner.p[i] != '\\' || i + 1 == inner.n) {
            text[n++] = inner.p[i++];
            continue;
        }
        if (!escape_read(str_from(inner, i + 1), bytes, &count, &used))
            return template_error(ERR_CORRUPT, l->name, line, "an escape in a string is no character");
        memcpy(text + n, bytes, count);
        n += count;
        i += 1 + used;
    }
    return token_add(l, LEX_STRING, line, str_make(text, n));
}

static bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* 12, 1_000, 1.5, 2e3, 1.5e-3: digits before and behind a point, as Jinja wants them. */
static Err read_number(Lex *l) {
    size_t n = 0;
    LexKind kind = LEX_INT;
    while (is_digit(peek(l, n)) || (peek(l, n) == '_' && is_digit(peek(l, n + 1)))) n++;
    if (peek(l, n) == '.' && is_digit(peek(l, n + 1))) {
        kind = LEX_FLOAT;
        for (n++; is_digit(peek(l, n));) n++;
    }
    if ((peek(l, n) | 0x20) == 'e') {
        size_t sign = peek(l, n + 1) == '+' || peek(l, n + 1) == '-';
        if (is_digit(peek(l, n + 1 + sign))) {
            kind = LEX_FLOAT;
            for (n += 1 + sign; is_digit(peek(l, n));) n++;
        }
    }
    Str text = str_make(l->source.p + l->at, n);
    if (is_name_start(peek(l, n)))
        return template_error(ERR_CORRUPT, l->name, l->line, "'%.*s%c' is no number", STR_FMT(text), peek(l, n));
    skip(l, n);
    return token_add(l, kind, l->line, text);
}

static Err read_operator(Lex *l) {
    static const char *const two[] = {"==", "!=", "<=", ">=", "//", "**"};
    static const char one[] = "+-*/%~|.,:()[]{}<>=";
    size_t n = 0;
    for (size_t i = 0; i < sizeof two / sizeof *two && !n; i++)
        if (here(l, two[i])) n = 2;
    if (!n && peek(l, 0) && strchr(one, peek(l, 0))) n = 1;
    if (!n) {
        uint32_t cp;
        Str rest = str_from(l->source, l->at);
        return template_error(ERR_CORRUPT, l->name, l->line, "unexpected character '%.*s'", (int)utf8_decode(rest, &cp),
                              rest.p);
    }
    Str text = str_make(l->source.p + l->at, n);
    skip(l, n);
    return token_add(l, LEX_OP, l->line, text);
}

/* The end of a tag is looked for outside of brackets only: {{ {'a': {}} }}. */
static bool read_tag_end(Lex *l, bool output) {
    const char *end = output ? "}}" : "%}";
    char sign = peek(l, 0);
    bool has_sign = sign == '-' || (sign == '+' && !output);
    if (!str_starts(str_from(l->source, l->at + has_sign), str_of(end))) return false;
    skip(l, 2u + has_sign);
    after_tag(l, sign == '-', !output && sign != '+');
    return true;
}

static Err read_tag(Lex *l, bool output) {
    char open[LEX_BRACKETS_MAX];
    size_t depth = 0;
    uint32_t start = l->line;
    for (;;) {
        skip(l, space_length(str_from(l->source, l->at)));
        uint32_t line = l->line;
        if (l->at == l->source.n) return template_error(ERR_CORRUPT, l->name, start, "a tag is not closed");
        if (depth == 0 && read_tag_end(l, output))
            return token_add(l, output ? LEX_OUTPUT_END : LEX_BLOCK_END, line, STR(""));
        char c = peek(l, 0);
        if (c == '(' || c == '[' || c == '{') {
            if (depth == sizeof open)
                return template_error(ERR_LIMIT, l->name, line, "more than %zu brackets within each other", depth);
            open[depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        }
        if ((c == ')' || c == ']' || c == '}') && (depth == 0 || open[--depth] != c))
            return template_error(ERR_CORRUPT, l->name, line, "unexpected '%c'", c);
        if (is_name_start(c)) {
            size_t n = 1;
            while (is_name_start(peek(l, n)) || is_digit(peek(l, n))) n++;
            TRY(token_add(l, LEX_NAME, line, str_make(l->source.p + l->at, n)));
            skip(l, n);
        } else if (c == '"' || c == '\'') {
            TRY(read_string(l));
        } else if (is_digit(c)) {
            TRY(read_number(l));
        } else {
            TRY(read_operator(l));
        }
    }
}

/* ---- */

/* The next "{{", "{%" or "{#" at or behind l->at; the source's end when there is none. */
static size_t find_tag(const Lex *l) {
    for (size_t i = l->at; i + 1 < l->source.n; i++)
        if (l->source.p[i] == '{' &&
            (l->source.p[i + 1] == '{' || l->source.p[i + 1] == '%' || l->source.p[i + 1] == '#'))
            return i;
    return l->source.n;
}

static Err read_text(Lex *l) {
    size_t tag = find_tag(l);
    Str text = str_make(l->source.p + l->at, tag - l->at);
    uint32_t line = l->line;
    if (tag < l->source.n) {
        char sign = tag + 2 < l->source.n ? l->source.p[tag + 2] : ' ';
        text = before_tag(l, text, sign, l->source.p[tag + 1] == '{');
    }
    skip(l, tag - l->at);
    return text.n ? token_add(l, LEX_DATA, line, text) : ERR_OK;
}

Err lex_template(Arena *a, Str source, const char *name, LexToken **out, size_t *n) {
    Lex l = {.arena = a, .name = name, .source = source, .line = 1, .line_starts = true};
    while (l.at < source.n) {
        bool raw = false;
        TRY(read_text(&l));
        if (l.at == source.n) break;
        if (here(&l, "{#")) {
            TRY(skip_comment(&l));
            continue;
        }
        TRY(read_raw(&l, &raw));
        if (raw) continue;
        bool output = here(&l, "{{");
        char sign = peek(&l, 2);
        TRY(token_add(&l, output ? LEX_OUTPUT : LEX_BLOCK, l.line, STR("")));
        skip(&l, 2u + (sign == '-' || (sign == '+' && !output)));
        TRY(read_tag(&l, output));
    }
    TRY(token_add(&l, LEX_END, l.line, STR("")));
    *out = l.tokens;
    *n = l.n;
    return ERR_OK;
}

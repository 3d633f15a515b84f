/* query.c - see query.h. A quote counts only with its partner; a single one is text (an apostrophe, an inch). */
#include "search/query.h"
#include "base/ascii.h"

#include "base/clock.h"
#include "base/meta.h"

/* Those before FIELD_LISTS make a list each. */
typedef enum {
    FIELD_LANG,
    FIELD_KIND,
    FIELD_PATH,
    FIELD_FILE,
    FIELD_SYM,
    FIELD_IN,
    FIELD_META,
    FIELD_LISTS,
    FIELD_AUTHOR = FIELD_LISTS, /* one of meta */
    FIELD_DATE,
    FIELD_NONE
} Field;

typedef struct {
    Arena *a;
    Query *out;
    int64_t now_ms;
    char *words, *meaning;
    size_t n_words, n_meaning;
    Filter *files;           /* what file: asks for: it must fit beside path: */
    Str *lists[FIELD_LISTS]; /* by Field */
    size_t n[FIELD_LISTS], n_all;
    bool wanted; /* something is looked for, not only left out */
    Str sought;  /* the first sym: */
} Parse;

static const struct {
    const char *name;
    Field field;
} fields[] = {{"lang", FIELD_LANG}, {"kind", FIELD_KIND},     {"path", FIELD_PATH},
              {"file", FIELD_FILE}, {"sym", FIELD_SYM},       {"in", FIELD_IN},
              {"meta", FIELD_META}, {"author", FIELD_AUTHOR}, {"date", FIELD_DATE}};

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || is_upper(c) || c == '_' || (unsigned char)c >= 0x80; }

/* What is inside the quotes that text begins with; false: it begins with none, or with one that stands alone. */
static bool quoted(Str text, Str *inside) {
    if (text.n == 0 || text.p[0] != '"') return false;
    const ptrdiff_t close = str_find_char(str_from(text, 1), '"');
    if (close < 0) return false;
    *inside = str_make(text.p + 1, (size_t)close);
    return true;
}

static size_t until_blank(Str text) {
    size_t n = 0;
    while (n < text.n && !is_blank(text.p[n])) n++;
    return n;
}

static void add(char *to, size_t *n, Str text) {
    if (*n) to[(*n)++] = ' ';
    if (text.n) memcpy(to + *n, text.p, text.n);
    *n += text.n;
}

/* ---- operators that narrow ---- */

static Err date_add(Parse *p, Str comparison, Str value) {
    const bool from = comparison.p[0] != '<', to = comparison.p[0] != '>', open = comparison.n == 1;
    int64_t first = 0, last = 0;
    TRY(clock_parse(value, p->now_ms, &first));
    TRY(clock_parse_until(value, p->now_ms, &last));
    Filter *f = &p->out->narrow;
    const bool beyond = open && comparison.p[0] == '>', before = open && comparison.p[0] == '<';
    const int64_t since = beyond ? last + 1 : first, until = before ? first - 1 : last;
    if (from && (!f->since_ms || since > f->since_ms)) f->since_ms = since;
    if (to && (!f->until_ms || until < f->until_ms)) f->until_ms = until;
    return ERR_OK;
}

/* "net" and "src/net" are folders or files wherever they stand, "/src" is one at the top. */
static Str path_glob(Arena *a, Str value) {
    while (value.n > 1 && value.p[value.n - 1] == '/') value.n--;
    return value.p[0] == '/' ? str_from(value, 1) : arena_printf(a, "**/%.*s", STR_FMT(value));
}

static Err field_add(Parse *p, Field field, Str value, bool negated) {
    if (++p->n_all > QUERY_NARROWING)
        return err_set(ERR_USAGE,
                       "the query has more than %d of lang:, kind:, path:, file:, sym:, in:, author:, meta:, date",
                       QUERY_NARROWING);
    if (field == FIELD_AUTHOR) {
        value = arena_printf(p->a, "author=%.*s", STR_FMT(value));
        field = FIELD_META;
    }
    if (field == FIELD_IN && negated)
        return err_set(ERR_USAGE,
                       "'-in:%.*s': a collection cannot be left out; name those to search with in:", STR_FMT(value));
    if (!p->lists[field]) p->lists[field] = arena_array(p->a, Str, QUERY_NARROWING);
    if (!p->lists[field]) return arena_error();
    if (field == FIELD_SYM && !negated && !p->sought.n) p->sought = value;
    if (field == FIELD_PATH) value = path_glob(p->a, value);
    if (negated && value.p) value = arena_printf(p->a, "!%.*s", STR_FMT(value));
    if (!value.p) return arena_error();
    p->lists[field][p->n[field]++] = value;
    return ERR_OK;
}

/* The value that text begins with, and how far it goes: to the next blank, unless it is quoted, or its part behind
 * '='. */
static Err value_read(Parse *p, Str text, Str *value, size_t *n) {
    Str inside;
    *value = str_upto(text, until_blank(text));
    *n = value->n;
    if (quoted(text, value)) return *n = value->n + 2, ERR_OK;
    const ptrdiff_t sign = str_find(*value, STR("=\""));
    if (sign <= 0 || !quoted(str_from(text, (size_t)sign + 1), &inside)) return ERR_OK;
    *n = (size_t)sign + inside.n + 3;
    *value = arena_printf(p->a, "%.*s=%.*s", (int)sign, text.p, STR_FMT(inside));
    return value->p ? ERR_OK : arena_error();
}

/* How far "lang:c" goes at the start of text; 0: it is none of that. */
static Err field_read(Parse *p, Str text, bool negated, size_t *n) {
    size_t end = 0;
    Field field = FIELD_NONE;
    *n = 0;
    while (end < text.n && text.p[end] >= 'a' && text.p[end] <= 'z') end++;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (str_is(str_upto(text, end), fields[i].name)) field = fields[i].field;
    if (field == FIELD_NONE || end == text.n || (field == FIELD_DATE && negated)) return ERR_OK;
    size_t signs = end;
    if (field == FIELD_DATE && (text.p[signs] == '<' || text.p[signs] == '>')) {
        signs++;
        if (signs < text.n && text.p[signs] == '=') signs++;
    } else if (text.p[signs] == ':')
        signs++;
    if (signs == end) return ERR_OK;
    const Str rest = str_from(text, signs), comparison = str_make(text.p + end, signs - end);
    Str value, name, words;
    size_t taken = 0;
    TRY(value_read(p, rest, &value, &taken));
    const bool is_text = value.n == 0 || (field == FIELD_META && !meta_wanted(value, &name, &words));
    if (is_text) return ERR_OK; /* "kind: a word for", "meta:charset" */
    *n = signs + taken;
    return field == FIELD_DATE ? date_add(p, comparison, value) : field_add(p, field, value, negated);
}

/* ---- words ---- */

/* +word, -word, +"a phrase", -"a phrase", each to the next blank or quote. "-1" is a number and "--force" is text. */
static size_t sign_read(Parse *p, Str text) {
    const Str behind = str_from(text, 1);
    Str inside;
    size_t n = 0;
    if (quoted(behind, &inside)) {
        if (str_trim(inside).n == 0) return 0;
        n = inside.n + 3;
    } else if (behind.n && is_letter(behind.p[0])) {
        inside = str_upto(behind, until_blank(behind));
        n = inside.n + 1;
    } else
        return 0;
    p->out->strict = true;
    add(p->words, &p->n_words, str_upto(text, n));
    if (text.p[0] == '-') return n;
    p->wanted = true;
    add(p->meaning, &p->n_meaning, inside);
    return n;
}

/* Text to the next blank or quote that has a partner. For the words, signs that would be operators there are left
 * out. */
static size_t text_read(Parse *p, Str text) {
    size_t n = 0, from = 0;
    Str inside;
    while (n < text.n && !is_blank(text.p[n]) && !(n && quoted(str_from(text, n), &inside))) n++;
    size_t to = n;
    while (from < to && (text.p[from] == '-' || text.p[from] == '+')) from++;
    while (to > from && text.p[to - 1] == '*') to--;
    add(p->words, &p->n_words, str_make(text.p + from, to - from));
    add(p->meaning, &p->n_meaning, str_upto(text, n));
    p->wanted = true;
    return n;
}

static size_t phrase_read(Parse *p, Str text) {
    Str inside;
    if (!quoted(text, &inside)) return 0;
    if (str_trim(inside).n) {
        p->out->strict = p->wanted = true;
        add(p->words, &p->n_words, str_upto(text, inside.n + 2));
        add(p->meaning, &p->n_meaning, inside);
    }
    return inside.n + 2;
}

static Err parse(Parse *p, Str text, bool operators) {
    bool start = true; /* of a word */
    for (size_t at = 0, n; at < text.n; at += n) {
        const Str rest = str_from(text, at);
        const bool sign = rest.p[0] == '-' || rest.p[0] == '+';
        n = is_blank(rest.p[0]);
        if (n == 0 && start && operators) {
            TRY(field_read(p, str_from(rest, sign), rest.p[0] == '-', &n));
            if (n)
                n += sign;
            else if (sign)
                n = sign_read(p, rest);
        }
        if (n == 0) n = phrase_read(p, rest);
        if (n == 0) n = text_read(p, rest);
        start = is_blank(rest.p[n - 1]);
    }
    return ERR_OK;
}

/* ---- names ---- */

/* "net::Backoff.next()" as "net.Backoff.next"; empty when it is no identifier. code: it could hardly be a word of
 * prose. */
static Str identifier(Arena *a, Str word, bool *code) {
    char *out = arena_alloc(a, word.n + 1);
    size_t n = 0;
    *code = str_ends(word, STR("()"));
    if (*code) word.n -= 2;
    for (size_t i = 0; out && i < word.n; i++) {
        const char c = word.p[i];
        const bool first = n == 0 || out[n - 1] == '.';
        if (is_letter(c) || c == '$' || (is_digit(c) && !first)) {
            *code |= c == '_' || (!first && is_upper(c) && !is_upper(word.p[i - 1]));
            out[n++] = c;
            continue;
        }
        const bool joint =
            c == '.' || str_starts(str_from(word, i), STR("::")) || str_starts(str_from(word, i), STR("->"));
        if (!joint || first || i + 1 == word.n) return (Str){"", 0};
        i += c != '.';
        *code = true;
        out[n++] = '.';
    }
    return out && n && out[n - 1] != '.' ? str_make(out, n) : (Str){"", 0};
}

static Str unwrapped(Str word) {
    while (word.n && strchr("`'(<[{,;:", word.p[0])) word = str_from(word, 1);
    while (word.n && strchr("`'>]},;:?!.", word.p[word.n - 1])) word.n--;
    return word.n && word.p[word.n - 1] == ')' && !str_ends(word, STR("()")) ? str_upto(word, word.n - 1) : word;
}

/* Words of the question that look like code; a question of one word may be a plain name. */
static Err names_find(Parse *p) {
    Str *names = arena_array(p->a, Str, QUERY_NAMES);
    Str rest = p->out->meaning;
    if (!names) return arena_error();
    p->out->names = names;
    while (rest.n && p->out->n_names < QUERY_NAMES) {
        while (rest.n && is_blank(rest.p[0])) rest = str_from(rest, 1);
        const size_t n = until_blank(rest);
        bool code = false;
        const Str word = unwrapped(str_upto(rest, n)), name = identifier(p->a, word, &code);
        if (name.n && (code || n == p->out->meaning.n)) names[p->out->n_names++] = name;
        rest = str_from(rest, n);
    }
    return ERR_OK;
}

/* ---- the whole ---- */

static void narrow_take(Parse *p) {
    Query *q = p->out;
    Filter *f = &q->narrow;
    f->langs = p->lists[FIELD_LANG], f->n_langs = p->n[FIELD_LANG];
    f->kinds = p->lists[FIELD_KIND], f->n_kinds = p->n[FIELD_KIND];
    f->globs = p->lists[FIELD_PATH], f->n_globs = p->n[FIELD_PATH];
    f->symbols = p->lists[FIELD_SYM], f->n_symbols = p->n[FIELD_SYM];
    f->metas = p->lists[FIELD_META], f->n_metas = p->n[FIELD_META];
    q->in = p->lists[FIELD_IN], q->n_in = p->n[FIELD_IN];
    *p->files = (Filter){.globs = p->lists[FIELD_FILE], .n_globs = p->n[FIELD_FILE]};
    if (p->n[FIELD_FILE]) f->also = p->files;
}

static Err query_read(Arena *a, Str text, bool operators, int64_t now_ms, Query *out) {
    *out = (Query){0};
    text = str_trim(text);
    if (text.n == 0) return err_set(ERR_USAGE, "the query is empty");
    if (text.n > QUERY_MAX)
        return err_set(ERR_LIMIT, "the query has %zu bytes, at most %d are taken", text.n, QUERY_MAX);
    Parse p = {.a = a,
               .out = out,
               .now_ms = now_ms,
               .words = arena_alloc(a, 2 * text.n + 2),
               .meaning = arena_alloc(a, 2 * text.n + 2),
               .files = arena_new(a, Filter)};
    if (!p.words || !p.meaning || !p.files) return arena_error();
    TRY(parse(&p, text, operators));
    narrow_take(&p);
    if (!p.wanted && p.sought.n) { /* then it is what is looked for, too */
        add(p.words, &p.n_words, p.sought);
        add(p.meaning, &p.n_meaning, p.sought);
        p.wanted = true;
    }
    if (!p.wanted)
        return err_set(ERR_USAGE, "the query '%.*s' %s", STR_FMT(text),
                       p.n_all || p.out->strict || out->narrow.since_ms || out->narrow.until_ms
                           ? "says only what to leave out or where to look; add words to look for"
                           : "holds nothing but quotes");
    out->words = str_make(p.words, p.n_words);
    out->meaning = str_make(p.meaning, p.n_meaning);
    return names_find(&p);
}

Err query_parse(Arena *a, Str text, int64_t now_ms, Query *out) { return query_read(a, text, true, now_ms, out); }
Err query_plain(Arena *a, Str text, Query *out) { return query_read(a, text, false, 0, out); }

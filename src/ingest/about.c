/* about.c - see about.h.
 *
 * YAML and TOML are read as far as heads go: "name: value", lists in brackets or a line an item, quotes, comments. What
 * is more (blocks of text, tables, anchors) is passed over: a head is a help, and no reason to refuse its document.
 */
#include "ingest/about.h"

#include "base/meta.h"
#include "base/utf8.h"

enum { HEAD_LINES = 200, FIELD_LINES = 50, TITLE_MAX = 1000, ITEMS_MAX = 40 };

static const struct {
    const char *given, *name;
} names[] = {
    {"title", "title"},
    {"dc.title", "title"},
    {"author", "author"},
    {"authors", "author"},
    {"byline", "author"},
    {"creator", "author"},
    {"article:author", "author"},
    {"dc.creator", "author"},
    {"dcterms.creator", "author"},
    {"citation_author", "author"},
    {"created", "created"},
    {"date", "created"},
    {"pubdate", "created"},
    {"published", "created"},
    {"publishdate", "created"},
    {"datepublished", "created"},
    {"article:published_time", "created"},
    {"citation_publication_date", "created"},
    {"citation_date", "created"},
    {"dc.date", "created"},
    {"dc.date.created", "created"},
    {"dcterms.date", "created"},
    {"dcterms.created", "created"},
    {"modified", "modified"},
    {"changed", "modified"},
    {"updated", "modified"},
    {"lastmod", "modified"},
    {"last-modified", "modified"},
    {"last_modified", "modified"},
    {"last_modified_at", "modified"},
    {"last_updated", "modified"},
    {"datemodified", "modified"},
    {"article:modified_time", "modified"},
    {"og:updated_time", "modified"},
    {"dc.date.modified", "modified"},
    {"dcterms.modified", "modified"},
    {"dcterms:modified", "modified"},
    {"subject", "subject"},
    {"dc.subject", "subject"},
    {"dcterms.subject", "subject"},
    {"keywords", "keywords"},
    {"keyword", "keywords"},
    {"tags", "keywords"},
};

const char *about_name(Str given) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(given, str_of(names[i].given))) return names[i].name;
    return NULL;
}

/* ---- heads ---- */

typedef struct {
    Arena *a;
    Doc *doc;
    Buf meta;  /* lines of base/meta.h */
    char sign; /* ':' of YAML, '=' of TOML */
    Buf value; /* items of a list, a comma between */
} Head;

static Str unquoted(Str s) {
    s = str_trim(s);
    const bool quoted = s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0];
    return quoted ? str_make(s.p + 1, s.n - 2) : s;
}

/* Without what stands behind " #"; a '#' within quotes is text. */
static Str uncommented(Str s) {
    s = str_trim(s);
    if (s.n && (s.p[0] == '"' || s.p[0] == '\'')) {
        const ptrdiff_t end = str_find_char(str_from(s, 1), s.p[0]);
        return end < 0 ? s : str_upto(s, (size_t)end + 2);
    }
    const ptrdiff_t sign = str_find(s, STR(" #"));
    return s.n && s.p[0] == '#' ? str_upto(s, 0) : sign < 0 ? s : str_trim(str_upto(s, (size_t)sign));
}

static void item_add(Head *h, Str item) {
    item = unquoted(item);
    if (item.n == 0) return;
    if (h->value.n) buf_add_z(&h->value, ", ");
    buf_add(&h->value, item);
}

/* "[a, "b, c"]" item by item; a comma within quotes is text. */
static void list_add(Head *h, Str list) {
    size_t from = 0;
    char quote = 0;
    for (size_t i = 0; i <= list.n; i++) {
        const char c = i < list.n ? list.p[i] : ',';
        if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        }
        if (c != ',' || (quote && i < list.n)) continue;
        item_add(h, str_make(list.p + from, i - from));
        from = i + 1;
    }
}

static void value_add(Head *h, Str value) {
    value = uncommented(value);
    if (value.n > 1 && value.p[0] == '[' && value.p[value.n - 1] == ']')
        list_add(h, str_make(value.p + 1, value.n - 2));
    else if (value.n && !strchr("|>{&*!", value.p[0]))
        item_add(h, value);
}

static bool is_name(Str s) {
    if (s.n == 0 || s.n > META_NAME_MAX) return false;
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && !strchr("_-.", c)) return false;
    }
    return true;
}

/* "name: value" apart; false: it is none. */
static bool pair_cut(Str line, char sign, Str *name, Str *value) {
    const ptrdiff_t at = str_find_char(line, sign);
    if (at <= 0) return false;
    *name = unquoted(str_upto(line, (size_t)at));
    *value = str_from(line, (size_t)at + 1);
    return is_name(*name);
}

/* What lies below a name without a value: items of a list, and what an author is called. Moves *rest behind it. */
static void below_add(Head *h, Str parent, Str *rest) {
    Str ahead = *rest, line, name, value;
    const char *known = about_name(parent);
    const bool people = known && strcmp(known, "author") == 0;
    for (int n = 0; n < ITEMS_MAX && str_line(&ahead, &line); n++) {
        const Str words = str_trim(line);
        const bool item = str_starts(words, STR("- "));
        if (words.n && !item && !strchr(" \t", line.p[0])) return;
        *rest = ahead;
        const Str inner = item ? str_trim(str_from(words, 2)) : words;
        const bool pair = pair_cut(inner, ':', &name, &value) && value.n && value.p[0] == ' ';
        if (pair ? people && str_is(name, "name") : item) value_add(h, pair ? value : inner);
    }
}

/* What h->value holds is what the document says under that name. */
static Err pair_keep(Head *h, Str name) {
    const char *known = about_name(name);
    const Str value = buf_str(&h->value);
    if (value.n == 0 || !utf8_valid(value)) return ERR_OK;
    if (!known || strcmp(known, "title") != 0) {
        (void)meta_add(&h->meta, known ? str_of(known) : name, value);
    } else if (!h->doc->title.n) {
        h->doc->title = arena_str(h->a, str_upto(value, utf8_floor(value, TITLE_MAX)));
        if (!h->doc->title.p) return arena_error();
    }
    return ERR_OK;
}

/* ---- YAML and TOML ---- */

/* Where the head ends that a line of three such signs began; -1: nowhere. */
static ptrdiff_t head_end(Str text, const char *fence) {
    Str rest = text, line;
    (void)str_line(&rest, &line);
    for (int n = 0; n < HEAD_LINES && str_line(&rest, &line); n++) {
        const Str words = str_trim(line);
        if (str_is(words, fence) || (fence[0] == '-' && str_is(words, "..."))) return line.p - text.p;
    }
    return -1;
}

static Err pairs_read(Head *h, Str rest) {
    Str line, name, value;
    while (str_line(&rest, &line)) {
        const bool nested = line.n && strchr(" \t-", line.p[0]);
        if (h->sign == '=' && line.n && line.p[0] == '[') return ERR_OK; /* tables are not of the document itself */
        if (nested || !pair_cut(line, h->sign, &name, &value)) continue;
        buf_clear(&h->value);
        value_add(h, value);
        if (h->sign == ':' && uncommented(value).n == 0) below_add(h, name, &rest);
        TRY(pair_keep(h, name));
    }
    return ERR_OK;
}

static Err matter_read(Head *h, Str text) {
    const char *fence = str_starts(text, STR("---")) ? "---" : str_starts(text, STR("+++")) ? "+++" : NULL;
    Str rest = text, line;
    if (!fence || !str_line(&rest, &line) || !str_is(str_trim(line), fence)) return ERR_OK;
    const ptrdiff_t end = head_end(text, fence);
    if (end < 0) return ERR_OK;
    h->sign = fence[0] == '-' ? ':' : '=';
    return pairs_read(h, str_make(rest.p, (size_t)(text.p + end - rest.p)));
}

/* ---- fields a line ---- */

/* ":Author: Anna" or "#+AUTHOR: Anna" among the first lines, of names that are known. */
static Err fields_read(Head *h, Str text, const char *before) {
    Str line, name, value;
    for (int n = 0; n < FIELD_LINES && str_line(&text, &line); n++) {
        if (!str_starts(line, str_of(before))) continue;
        if (!pair_cut(str_from(line, strlen(before)), ':', &name, &value) || !about_name(name)) continue;
        buf_clear(&h->value);
        item_add(h, value);
        TRY(pair_keep(h, name));
    }
    return ERR_OK;
}

static Err head_read(Head *h) {
    const Doc *doc = h->doc;
    if (str_is(doc->lang, "markdown")) return matter_read(h, doc->text);
    if (str_is(doc->lang, "rst") || str_is(doc->lang, "asciidoc")) return fields_read(h, doc->text, ":");
    return str_is(doc->lang, "org") ? fields_read(h, doc->text, "#+") : ERR_OK;
}

Err about_read_head(Arena *a, Doc *doc) {
    Head h = {.a = a, .doc = doc};
    Err err = head_read(&h);
    if (!err) err = buf_ok(&h.value);
    if (!err) err = buf_ok(&h.meta);
    if (!err && h.meta.n) {
        doc->meta = arena_str(a, buf_str(&h.meta));
        if (!doc->meta.p) err = arena_error();
    }
    buf_free(&h.value);
    buf_free(&h.meta);
    return err;
}

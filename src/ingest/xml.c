/* xml.c - see xml.h. */
#include "ingest/xml.h"
#include "base/ascii.h"

#include "base/text.h"
#include "base/utf8.h"

Err xml_open(Arena *a, Str bytes, const char *what, Xml *out) {
    *out = (Xml){.what = what};
    TRY(text_decode(a, bytes, &out->all));
    out->rest = out->all;
    return ERR_OK;
}

static size_t byte_of(const Xml *x) { return (size_t)(x->rest.p - x->all.p); }

static Err damaged(const Xml *x, const char *problem) {
    return err_set(ERR_CORRUPT, "'%s' is no good XML: %s at byte %zu", x->what, problem, byte_of(x));
}

/* Moves behind end; false when it does not come. */
static bool skip_behind(Xml *x, Str end) {
    const ptrdiff_t at = str_find(x->rest, end);
    if (at < 0) return false;
    x->rest = str_from(x->rest, (size_t)at + end.n);
    return true;
}

/* "<!DOCTYPE html PUBLIC …>" is harmless; one with a "[" declares. */
static Err doctype(Xml *x) {
    const ptrdiff_t end = str_find_char(x->rest, '>'), open = str_find_char(x->rest, '[');
    if (end < 0) return damaged(x, "a document type without an end");
    if (open >= 0 && open < end)
        return err_set(ERR_UNSUPPORTED, "'%s' declares entities in its document type, which is refused", x->what);
    x->rest = str_from(x->rest, (size_t)end + 1);
    return ERR_OK;
}

/* The end of a tag that begins at x->rest: the '>' outside of quotes. */
static bool tag_end(Str s, size_t *at) {
    char quote = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            *at = i;
            return true;
        }
    }
    return false;
}

static Str local_name(Str s) {
    const ptrdiff_t colon = str_find_char(s, ':');
    return colon < 0 ? s : str_from(s, (size_t)colon + 1);
}

static Err tag(Xml *x, XmlEvent *out) {
    size_t end = 0;
    if (!tag_end(x->rest, &end)) return damaged(x, "a tag without an end");
    const bool closes = end > 1 && x->rest.p[1] == '/';
    Str inner = str_make(x->rest.p + 1 + closes, end - 1 - closes);
    const bool empty = !closes && inner.n && inner.p[inner.n - 1] == '/';
    if (empty) inner.n--;
    size_t n = 0;
    while (n < inner.n && !is_blank(inner.p[n])) n++;
    x->name = local_name(str_upto(inner, n));
    x->attrs = str_from(inner, n);
    if (x->name.n == 0) return damaged(x, "a tag without a name");
    if (closes && x->depth == 0) return damaged(x, "an end of what was not opened");
    if (!closes && x->depth == XML_DEPTH_MAX)
        return err_set(ERR_LIMIT, "'%s' is nested over %d deep at byte %zu", x->what, XML_DEPTH_MAX, byte_of(x));
    x->rest = str_from(x->rest, end + 1);
    x->empty = empty;
    x->depth = closes ? x->depth - 1 : x->depth + 1;
    *out = closes ? XML_CLOSE : XML_OPEN;
    return ERR_OK;
}

/* Comments, instructions and document types: *skipped. */
static Err aside(Xml *x, bool *skipped) {
    *skipped = true;
    if (str_starts(x->rest, STR("<!--"))) return skip_behind(x, STR("-->")) ? ERR_OK : damaged(x, "an open comment");
    if (str_starts(x->rest, STR("<?"))) return skip_behind(x, STR("?>")) ? ERR_OK : damaged(x, "an open instruction");
    if (str_starts(x->rest, STR("<!DOCTYPE"))) return doctype(x);
    *skipped = false;
    return ERR_OK;
}

static Err cdata(Xml *x, XmlEvent *out) {
    const Str inner = str_from(x->rest, sizeof "<![CDATA[" - 1);
    const ptrdiff_t end = str_find(inner, STR("]]>"));
    if (end < 0) return damaged(x, "an open CDATA section");
    x->text = str_upto(inner, (size_t)end);
    x->rest = str_from(inner, (size_t)end + 3);
    x->literal = true;
    *out = XML_TEXT;
    return ERR_OK;
}

Err xml_next(Xml *x, XmlEvent *out) {
    if (x->empty) {
        x->empty = false;
        x->depth--;
        *out = XML_CLOSE;
        return ERR_OK;
    }
    while (x->rest.n) {
        bool skipped = false;
        if (x->rest.p[0] != '<') {
            const ptrdiff_t end = str_find_char(x->rest, '<');
            x->text = end < 0 ? x->rest : str_upto(x->rest, (size_t)end);
            x->rest = str_from(x->rest, x->text.n);
            x->literal = false;
            *out = XML_TEXT;
            return ERR_OK;
        }
        TRY(aside(x, &skipped));
        if (skipped) continue;
        return str_starts(x->rest, STR("<![CDATA[")) ? cdata(x, out) : tag(x, out);
    }
    if (x->depth) return damaged(x, "it ends within an element");
    *out = XML_END;
    return ERR_OK;
}

Err xml_skip(Xml *x) {
    const unsigned above = x->depth - 1;
    while (x->depth > above) {
        XmlEvent event;
        TRY(xml_next(x, &event));
        if (event == XML_END) break;
    }
    return ERR_OK;
}

Str xml_attr(const Xml *x, const char *name) {
    for (Str s = x->attrs; s.n;) {
        const ptrdiff_t eq = str_find_char(s, '=');
        if (eq < 0) break;
        const Str key = local_name(str_trim(str_upto(s, (size_t)eq)));
        Str value = str_trim(str_from(s, (size_t)eq + 1));
        if (value.n == 0 || (value.p[0] != '"' && value.p[0] != '\'')) break;
        const ptrdiff_t end = str_find_char(str_from(value, 1), value.p[0]);
        if (end < 0) break;
        if (str_is(key, name)) return str_make(value.p + 1, (size_t)end);
        s = str_from(value, (size_t)end + 2);
    }
    return (Str){NULL, 0};
}

int64_t xml_attr_int(const Xml *x, const char *name, int64_t otherwise) {
    int64_t v = otherwise;
    const Str s = xml_attr(x, name);
    return s.p && str_to_i64(s, &v) ? v : otherwise;
}

/* The code point of "&#65;" or "&lt;", without '&' and ';'. 0: unknown. */
static uint32_t entity_value(Str name) {
    static const struct {
        const char *name;
        uint32_t value;
    } known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xa0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(name, known[i].name)) return known[i].value;
    if (name.n < 2 || name.n > 9 || name.p[0] != '#') return 0;
    const bool hex = name.p[1] == 'x' || name.p[1] == 'X';
    uint32_t v = 0;
    for (size_t i = hex ? 2 : 1; i < name.n; i++) {
        const char c = name.p[i], low = (char)(c | 0x20);
        const bool digit = c >= '0' && c <= '9', letter = hex && low >= 'a' && low <= 'f';
        if (!digit && !letter) return 0;
        v = v * (hex ? 16 : 10) + (uint32_t)(digit ? c - '0' : low - 'a' + 10);
        if (v > 0x10FFFF) return 0;
    }
    return v >= 0xD800 && v < 0xE000 ? 0 : v;
}

void xml_decode(Buf *out, Str raw, bool literal) {
    while (raw.n) {
        const ptrdiff_t at = literal ? -1 : str_find_char(raw, '&');
        if (at < 0) {
            buf_add(out, raw);
            return;
        }
        buf_add(out, str_upto(raw, (size_t)at));
        raw = str_from(raw, (size_t)at);
        const ptrdiff_t end = str_find_char(str_upto(raw, 12), ';');
        const uint32_t value = end > 0 ? entity_value(str_make(raw.p + 1, (size_t)end - 1)) : 0;
        char utf8[4];
        if (value)
            buf_add_bytes(out, utf8, utf8_encode(value, utf8));
        else
            buf_char(out, '&');
        raw = str_from(raw, value ? (size_t)end + 1 : 1);
    }
}

Str xml_decoded(Arena *a, Str raw) {
    Buf b = {0};
    xml_decode(&b, raw, false);
    const Str copy = b.failed ? (Str){NULL, 0} : arena_str(a, buf_str(&b));
    buf_free(&b);
    return copy;
}

/* mime.c - see mime.h. */
#include "ingest/mime.h"

#include "base/hash.h"

enum { PARAMETERS_MAX = 32, CONTINUATIONS_MAX = 20, HEADERS_MAX = 10000 };

/* ---- headers ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* The headers: everything before the first empty line; *body behind it. */
static Str headers_of(Str entity, Str *body) {
    Str rest = entity, line;
    while (str_line(&rest, &line))
        if (line.n == 0) break;
    *body = rest;
    return str_upto(entity, entity.n - rest.n);
}

static bool header_line(Str line, Str *name, Str *value) {
    const ptrdiff_t colon = str_find_char(line, ':');
    if (colon <= 0) return false;
    *name = str_upto(line, (size_t)colon);
    *value = str_from(line, (size_t)colon + 1);
    for (size_t i = 0; i < name->n; i++)
        if (name->p[i] <= ' ' || name->p[i] == 0x7f) return false;
    return true;
}

bool mime_looks_so(Str bytes) {
    Str line, name, value;
    return str_line(&bytes, &line) && header_line(line, &name, &value);
}

/* The raw value with its continuation lines joined by blanks; "" when there is none. */
static Err header_raw(Arena *a, Str headers, const char *wanted, Str *out) {
    Str rest = headers, line, name, value;
    Buf b = {0};
    bool found = false;
    *out = STR("");
    for (size_t i = 0; i < HEADERS_MAX && str_line(&rest, &line); i++) {
        if (found && (line.n == 0 || !is_blank(line.p[0]))) break;
        if (found) {
            buf_char(&b, ' ');
            buf_add(&b, str_trim(line));
        } else if (header_line(line, &name, &value) && str_eq_nocase(name, str_of(wanted))) {
            found = true;
            buf_add(&b, str_trim(value));
        }
    }
    Err err = buf_ok(&b);
    if (!err && b.n) *out = arena_str(a, buf_str(&b));
    if (!err && !out->p) err = arena_error();
    buf_free(&b);
    return err;
}

/* ---- encodings ---- */

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static void base64_decode(Buf *out, Str s) {
    uint32_t bits = 0, n = 0;
    for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
        const int v = base64_value(s.p[i]);
        if (v < 0) continue;
        bits = (bits << 6 | (uint32_t)v) & 0xffffff;
        if ((n += 6) < 8) continue;
        n -= 8;
        buf_char(out, (char)(bits >> n & 0xff));
    }
}

/* escape: '=' of quoted-printable and encoded words, '%' of RFC 2231. In words '_' is a blank. */
static void quoted_decode(Buf *out, Str s, char escape, bool is_word) {
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        if (c == escape && s.n - i > 2 && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0) {
            buf_char(out, (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2])));
            i += 2;
        } else if (c == '=' && escape == '=' && !is_word && i + 1 < s.n && (s.p[i + 1] == '\n' || s.p[i + 1] == '\r')) {
            i += s.p[i + 1] == '\r' && i + 2 < s.n && s.p[i + 2] == '\n' ? 2 : 1; /* the line goes on */
        } else {
            buf_char(out, is_word && c == '_' ? ' ' : c);
        }
    }
}

static Err buf_keep(Arena *a, Buf *b, Str *out) {
    Err err = buf_ok(b);
    if (!err) *out = arena_str(a, buf_str(b));
    if (!err && !out->p) err = arena_error();
    buf_free(b);
    return err;
}

Err mime_decode(Arena *a, const MimePart *p, Str *out) {
    Buf b = {0};
    *out = p->body;
    if (str_eq_nocase(p->encoding, STR("base64")))
        base64_decode(&b, p->body);
    else if (str_eq_nocase(p->encoding, STR("quoted-printable")))
        quoted_decode(&b, p->body, '=', false);
    else
        return ERR_OK;
    return buf_keep(a, &b, out);
}

/* ---- encoded words ---- */

/* "=?name?B?bytes?=" at the start of s. */
static bool word_parse(Str s, Str *charset, char *kind, Str *bytes, size_t *n) {
    const ptrdiff_t first = str_find_char(str_from(s, 2), '?');
    if (!str_starts(s, STR("=?")) || first < 1 || s.n - 2 - (size_t)first < 5) return false;
    const size_t at = 2 + (size_t)first + 1;
    if (s.p[at + 1] != '?') return false;
    *kind = (char)(s.p[at] | 0x20);
    const ptrdiff_t end = str_find(str_from(s, at + 2), STR("?="));
    if (end < 0 || (*kind != 'b' && *kind != 'q')) return false;
    *charset = str_make(s.p + 2, (size_t)first);
    const ptrdiff_t star = str_find_char(*charset, '*'); /* "utf-8*en": a language */
    if (star >= 0) *charset = str_upto(*charset, (size_t)star);
    *bytes = str_make(s.p + at + 2, (size_t)end);
    *n = at + 2 + (size_t)end + 2;
    return true;
}

Err mime_words(Charsets *c, Arena *a, Str text, Str *out) {
    Buf b = {0};
    bool after_word = false;
    for (Str rest = text; rest.n;) {
        Str charset, bytes, decoded;
        char kind;
        size_t n = 0;
        /* Blanks between two encoded words part nothing. */
        const Str ahead = str_trim(rest);
        const bool joined = after_word && is_blank(rest.p[0]) && word_parse(ahead, &charset, &kind, &bytes, &n);
        if (joined) rest = str_from(rest, (size_t)(ahead.p - rest.p));
        after_word = word_parse(rest, &charset, &kind, &bytes, &n);
        if (!after_word) {
            buf_char(&b, rest.p[0]);
            rest = str_from(rest, 1);
            continue;
        }
        Buf raw = {0};
        if (kind == 'b')
            base64_decode(&raw, bytes);
        else
            quoted_decode(&raw, bytes, '=', true);
        const Err err = charset_decode(c, a, buf_str(&raw), charset, &decoded);
        if (!err) buf_add(&b, decoded);
        buf_free(&raw);
        if (err) {
            buf_free(&b);
            return err;
        }
        rest = str_from(rest, n);
    }
    return buf_keep(a, &b, out);
}

Err mime_header(Charsets *c, Arena *a, Str entity, const char *name, Str *out) {
    Str body, raw;
    TRY(header_raw(a, headers_of(entity, &body), name, &raw));
    return mime_words(c, a, raw, out);
}

/* ---- parameters ---- */

/* The value at the start of s, quoted or not; *n its bytes there. */
static Err value_take(Arena *a, Str s, Str *out, size_t *n) {
    Buf b = {0};
    size_t i = 0;
    if (s.n && s.p[0] == '"') {
        for (i = 1; i < s.n && s.p[i] != '"'; i++) {
            if (s.p[i] == '\\' && i + 1 < s.n) i++;
            buf_char(&b, s.p[i]);
        }
        i += i < s.n;
    } else {
        for (; i < s.n && s.p[i] != ';' && !is_blank(s.p[i]); i++) buf_char(&b, s.p[i]);
    }
    *n = i;
    return buf_keep(a, &b, out);
}

/* The value of a parameter of "text/plain; charset=…", also in RFC 2231's form (name*=, name*0=, name*0*=). */
static Err parameter(Arena *a, Str header, const char *wanted, Str *out) {
    Buf all = {0};
    ptrdiff_t semicolon = str_find_char(header, ';');
    *out = STR("");
    for (size_t i = 0; i < PARAMETERS_MAX && semicolon >= 0; i++) {
        Str s = str_trim(str_from(header, (size_t)semicolon + 1));
        const ptrdiff_t eq = str_find_char(s, '=');
        if (eq < 0) break;
        Str key = str_trim(str_upto(s, (size_t)eq)), value;
        s = str_trim(str_from(s, (size_t)eq + 1));
        size_t n = 0;
        TRY(value_take(a, s, &value, &n));
        header = str_from(s, n);
        semicolon = str_find_char(header, ';');
        const ptrdiff_t star = str_find_char(key, '*');
        const bool escaped = star >= 0 && key.p[key.n - 1] == '*';
        if (!str_eq_nocase(star < 0 ? key : str_upto(key, (size_t)star), str_of(wanted))) continue;
        const ptrdiff_t quote = escaped ? str_find_char(value, '\'') : -1;
        const ptrdiff_t second = quote >= 0 ? str_find_char(str_from(value, (size_t)quote + 1), '\'') : -1;
        if (second >= 0) value = str_from(value, (size_t)(quote + 1 + second + 1));
        if (escaped)
            quoted_decode(&all, value, '%', false);
        else
            buf_add(&all, value);
    }
    return buf_keep(a, &all, out);
}

/* ---- parts ---- */

static void type_cut(Str value, MimePart *out) {
    const ptrdiff_t semicolon = str_find_char(value, ';');
    const Str both = str_trim(semicolon < 0 ? value : str_upto(value, (size_t)semicolon));
    const ptrdiff_t slash = str_find_char(both, '/');
    if (slash <= 0) return;
    out->type = str_upto(both, (size_t)slash);
    out->subtype = str_from(both, (size_t)slash + 1);
}

Err mime_part(Arena *a, Str entity, MimePart *out) {
    Str type, disposition;
    *out = (MimePart){.type = STR("text"), .subtype = STR("plain")};
    const Str headers = headers_of(entity, &out->body);
    TRY(header_raw(a, headers, "Content-Type", &type));
    TRY(header_raw(a, headers, "Content-Disposition", &disposition));
    TRY(header_raw(a, headers, "Content-Transfer-Encoding", &out->encoding));
    type_cut(type, out);
    TRY(parameter(a, type, "charset", &out->charset));
    TRY(parameter(a, type, "boundary", &out->boundary));
    TRY(parameter(a, disposition, "filename", &out->name));
    if (!out->name.n) TRY(parameter(a, type, "name", &out->name));
    out->is_attachment = str_eq_nocase(str_upto(disposition, 10), STR("attachment"));
    return ERR_OK;
}

/* "--boundary" or "--boundary--", and blanks. */
static bool is_border(Str line, Str boundary, bool *last) {
    if (!str_starts(line, STR("--")) || !str_starts(str_from(line, 2), boundary)) return false;
    Str rest = str_from(line, 2 + boundary.n);
    *last = str_starts(rest, STR("--"));
    return str_trim(*last ? str_from(rest, 2) : rest).n == 0;
}

bool mime_next(Str *rest, Str boundary, Str *entity) {
    Str line;
    bool last = false, open = false;
    const char *start = NULL;
    if (boundary.n == 0) return false;
    for (Str ahead = *rest; str_line(&ahead, &line);) {
        if (!is_border(line, boundary, &last)) continue;
        if (open) {
            *entity = str_make(start, (size_t)(line.p - start));
            *rest = str_make(line.p, (size_t)(rest->p + rest->n - line.p));
            return true;
        }
        if (last) return false;
        open = true;
        start = ahead.p;
    }
    /* The last part of a mail that was cut off. */
    if (open) *entity = str_make(start, (size_t)(rest->p + rest->n - start));
    *rest = str_from(*rest, rest->n);
    return open;
}

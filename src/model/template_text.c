/* template_text.c - values as text: Python's str() and repr(), JSON as Python's json.dumps writes it, and the changes
 * of text that methods and filters share.
 *
 * Upper and lower case are Unicode's simple mappings, one character for one.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <utf8proc.h>

#include "base/utf8.h"
#include "model/template_run.h"
#include "model/tok_space.h"

/* ---- numbers ---- */

/* Python's repr: the fewest digits that read back to the same, an exponent below 1e-4 and from 1e16 on. */
static void float_add(Buf *b, double f) {
    char digits[40];
    if (isnan(f) || isinf(f)) {
        buf_add_z(b, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    int precision = 0;
    do (void)snprintf(digits, sizeof digits, "%.*e", precision, f);
    while (strtod(digits, NULL) != f && precision++ < 17);
    char *e = strchr(digits, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        buf_add(b, str_make(digits, (size_t)(e - digits)));
        buf_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    int places = precision - exponent;
    buf_printf(b, "%.*f", places < 1 ? 1 : places, f);
}

/* ---- str and repr ---- */

static void repr_char(Buf *b, uint32_t cp, Str bytes, char quote) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)cp);
    bool shown = cp == ' ' || !(category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
                                category == UTF8PROC_CATEGORY_CS || category == UTF8PROC_CATEGORY_CO ||
                                category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_ZL ||
                                category == UTF8PROC_CATEGORY_ZP || category == UTF8PROC_CATEGORY_ZS);
    if (cp == '\n' || cp == '\r' || cp == '\t')
        buf_add_z(b, cp == '\n' ? "\\n" : cp == '\r' ? "\\r" : "\\t");
    else if (cp == '\\' || cp == (uint32_t)quote)
        buf_printf(b, "\\%c", (char)cp);
    else if (shown)
        buf_add(b, bytes);
    else
        buf_printf(b, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
}

static void repr_str(Buf *b, Str s) {
    char quote = str_find_char(s, '\'') >= 0 && str_find_char(s, '"') < 0 ? '"' : '\'';
    buf_char(b, quote);
    for (size_t at = 0, n; at < s.n; at += n) {
        uint32_t cp;
        n = utf8_decode(str_from(s, at), &cp);
        repr_char(b, cp, str_make(s.p + at, n), quote);
    }
    buf_char(b, quote);
}

static Err repr_add(Render *r, Buf *b, Val v);

static Err repr_list(Render *r, Buf *b, const ValList *list) {
    bool tuple = list->kind == LIST_TUPLE;
    buf_char(b, tuple ? '(' : '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) buf_add_z(b, ", ");
        TRY(repr_add(r, b, list->items[i]));
    }
    if (tuple && list->n == 1) buf_char(b, ',');
    buf_char(b, tuple ? ')' : ']');
    return ERR_OK;
}

static Err repr_dict(Render *r, Buf *b, const ValDict *dict) {
    buf_char(b, '{');
    for (size_t i = 0; i < dict->n; i++) {
        if (i) buf_add_z(b, ", ");
        TRY(repr_add(r, b, dict->pairs[i].key));
        buf_add_z(b, ": ");
        TRY(repr_add(r, b, dict->pairs[i].value));
    }
    buf_char(b, '}');
    return ERR_OK;
}

static Err check_room(const Render *r, const Buf *b) {
    if (b->n <= TEMPLATE_OUTPUT_MAX) return ERR_OK;
    return run_fail(r, ERR_LIMIT, "more than %d bytes of text", TEMPLATE_OUTPUT_MAX);
}

static Err repr_add(Render *r, Buf *b, Val v) {
    TRY(run_enter(r));
    TRY(check_room(r, b));
    if (val_is(v, VAL_STR))
        repr_str(b, v.str);
    else if (val_is(v, VAL_UNDEFINED))
        buf_add_z(b, "Undefined");
    else
        TRY(text_add(r, b, v));
    r->depth--;
    return ERR_OK;
}

Err text_add(Render *r, Buf *b, Val v) {
    switch (v.kind) {
    case VAL_UNDEFINED:
        break;
    case VAL_NONE:
        buf_add_z(b, "None");
        break;
    case VAL_BOOL:
        buf_add_z(b, v.boolean ? "True" : "False");
        break;
    case VAL_INT:
        buf_printf(b, "%lld", (long long)v.integer);
        break;
    case VAL_FLOAT:
        float_add(b, v.real);
        break;
    case VAL_STR:
        buf_add(b, v.str);
        break;
    case VAL_LIST:
        return repr_list(r, b, v.list);
    case VAL_DICT:
        return repr_dict(r, b, v.dict);
    default:
        return run_fail(r, ERR_INPUT, "%s has no text", val_type(v));
    }
    return ERR_OK;
}

Err run_str(Render *r, Val v, Str *out) {
    Buf text = {0};
    Val taken;
    if (val_is(v, VAL_STR) || val_is(v, VAL_UNDEFINED)) {
        *out = val_is(v, VAL_STR) ? v.str : STR("");
        return ERR_OK;
    }
    Err err = text_add(r, &text, v);
    if (err) {
        buf_free(&text);
        return err;
    }
    TRY(run_take(r, &text, &taken));
    *out = taken.str;
    return ERR_OK;
}

/* ---- JSON ---- */

static void json_str(Buf *b, Str s, bool ascii) {
    static const char plain[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
    buf_char(b, '"');
    for (size_t at = 0, n; at < s.n; at += n) {
        uint32_t cp;
        n = utf8_decode(str_from(s, at), &cp);
        const char *known = cp && cp < 0x80 ? strchr(plain, (char)cp) : NULL;
        if (known)
            buf_printf(b, "\\%c", letters[known - plain]);
        else if (cp < 0x20 || (ascii && cp >= 0x80 && cp < 0x10000))
            buf_printf(b, "\\u%04x", cp);
        else if (ascii && cp >= 0x10000)
            buf_printf(b, "\\u%04x\\u%04x", 0xD800 + ((cp - 0x10000) >> 10), 0xDC00 + ((cp - 0x10000) & 0x3FF));
        else
            buf_add(b, str_make(s.p + at, n));
    }
    buf_char(b, '"');
}

static void json_line(Buf *b, const JsonStyle *style, unsigned depth) {
    if (!style->indent.p) return;
    buf_char(b, '\n');
    for (unsigned i = 0; i < depth; i++) buf_add(b, style->indent);
}

static int by_key(const void *a, const void *b) {
    return str_cmp(((const ValPair *)a)->key.str, ((const ValPair *)b)->key.str);
}

static Err json_key(Render *r, Buf *b, Val key, const JsonStyle *style) {
    if (val_is(key, VAL_STR)) return json_str(b, key.str, style->ascii), ERR_OK;
    Buf text = {0};
    Err err = text_json(r, &text, key, style, 0);
    if (!err) json_str(b, buf_str(&text), style->ascii);
    buf_free(&text);
    return err;
}

static Err json_dict(Render *r, Buf *b, const ValDict *dict, const JsonStyle *style, unsigned depth) {
    const ValPair *pairs = dict->pairs;
    if (dict->n == 0) return buf_add_z(b, "{}"), ERR_OK;
    if (style->sort) {
        ValPair *sorted = arena_array(r->arena, ValPair, dict->n);
        if (!sorted) return arena_error();
        memcpy(sorted, pairs, dict->n * sizeof *sorted);
        for (size_t i = 0; i < dict->n; i++)
            if (!val_is(sorted[i].key, VAL_STR))
                return run_fail(r, ERR_INPUT, "keys that are no text cannot be sorted");
        qsort(sorted, dict->n, sizeof *sorted, by_key);
        pairs = sorted;
    }
    buf_char(b, '{');
    for (size_t i = 0; i < dict->n; i++) {
        if (i) buf_add(b, style->comma);
        json_line(b, style, depth + 1);
        TRY(json_key(r, b, pairs[i].key, style));
        buf_add(b, style->colon);
        TRY(text_json(r, b, pairs[i].value, style, depth + 1));
    }
    json_line(b, style, depth);
    buf_char(b, '}');
    return ERR_OK;
}

static Err json_list(Render *r, Buf *b, const ValList *list, const JsonStyle *style, unsigned depth) {
    if (list->n == 0) return buf_add_z(b, "[]"), ERR_OK;
    buf_char(b, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) buf_add(b, style->comma);
        json_line(b, style, depth + 1);
        TRY(text_json(r, b, list->items[i], style, depth + 1));
    }
    json_line(b, style, depth);
    buf_char(b, ']');
    return ERR_OK;
}

Err text_json(Render *r, Buf *b, Val v, const JsonStyle *style, unsigned depth) {
    Err err = ERR_OK;
    TRY(run_enter(r));
    TRY(check_room(r, b));
    switch (v.kind) {
    case VAL_NONE:
        buf_add_z(b, "null");
        break;
    case VAL_BOOL:
        buf_add_z(b, v.boolean ? "true" : "false");
        break;
    case VAL_INT:
        err = text_add(r, b, v);
        break;
    case VAL_FLOAT:
        if (isnan(v.real) || isinf(v.real))
            buf_add_z(b, isnan(v.real) ? "NaN" : v.real < 0 ? "-Infinity" : "Infinity");
        else
            err = text_add(r, b, v);
        break;
    case VAL_STR:
        json_str(b, v.str, style->ascii);
        break;
    case VAL_LIST:
        err = json_list(r, b, v.list, style, depth);
        break;
    case VAL_DICT:
        err = json_dict(r, b, v.dict, style, depth);
        break;
    case VAL_UNDEFINED:
        return run_fail(r, ERR_INPUT, "'%.*s' is undefined and cannot be JSON", STR_FMT(str_upto(v.str, 128)));
    default:
        return run_fail(r, ERR_INPUT, "%s cannot be JSON", val_type(v));
    }
    r->depth--;
    return err;
}

/* ---- text changed ---- */

/* Is cp to be trimmed? */
static bool trims(uint32_t cp, Str chars) {
    if (!chars.p) return tok_is_space(cp) || (cp >= 0x1C && cp <= 0x1F);
    for (size_t at = 0; at < chars.n;) {
        uint32_t c;
        at += utf8_decode(str_from(chars, at), &c);
        if (c == cp) return true;
    }
    return false;
}

Str text_trim(Str s, Str chars, bool left, bool right) {
    uint32_t cp;
    while (left && s.n) {
        size_t n = utf8_decode(s, &cp);
        if (!trims(cp, chars)) break;
        s = str_from(s, n);
    }
    while (right && s.n) {
        size_t start = s.n - 1;
        while (start && ((uint8_t)s.p[start] & 0xC0) == 0x80) start--;
        (void)utf8_decode(str_from(s, start), &cp);
        if (!trims(cp, chars)) break;
        s.n = start;
    }
    return s;
}

static void char_add(Buf *b, int32_t cp) {
    char bytes[4];
    buf_add_bytes(b, bytes, utf8_encode((uint32_t)cp, bytes));
}

void text_case(Buf *b, Str s, int32_t (*fn)(int32_t)) {
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        at += utf8_decode(str_from(s, at), &cp);
        char_add(b, fn((int32_t)cp));
    }
}

void text_capitalize(Buf *b, Str s) {
    size_t first = val_char_at(s, 1);
    text_case(b, str_upto(s, first), utf8proc_totitle);
    text_case(b, str_from(s, first), utf8proc_tolower);
}

static bool is_letter(uint32_t cp) {
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT;
}

/* Words of the filter begin behind blanks and -({[<; those of Python's method behind anything that has no case. */
void text_title(Buf *b, Str s, bool filter) {
    bool inside = false;
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        at += utf8_decode(str_from(s, at), &cp);
        char_add(b, inside ? utf8proc_tolower((int32_t)cp) : utf8proc_totitle((int32_t)cp));
        inside = filter ? !tok_is_space(cp) && !(cp < 0x80 && strchr("-({[<", (char)cp)) : is_letter(cp);
    }
}

/* count < 0: all. Between any two characters stands an empty text, as in Python. */
void text_replace(Buf *b, Str s, Str old, Str new, int64_t count) {
    while (count != 0) {
        ptrdiff_t at = old.n ? str_find(s, old) : 0;
        if (at < 0) break;
        buf_add(b, str_upto(s, (size_t)at));
        buf_add(b, new);
        count -= count > 0;
        s = str_from(s, (size_t)at + old.n);
        if (old.n) continue;
        size_t n = val_char_at(s, 1);
        buf_add(b, str_upto(s, n));
        if (s.n == 0) return;
        s = str_from(s, n);
    }
    buf_add(b, s);
}

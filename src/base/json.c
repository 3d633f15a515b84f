/* json.c - see json.h. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

Err json_read(Str text, const char *what, json_t **out) {
    json_error_t e;
    /* Strings are Str, so "\\u0000" in one is a character like others: texts to embed may hold it. Keys may not. */
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    *out = json_loadb(text.n ? text.p : "", text.n, flags, &e);
    if (*out) return ERR_OK;
    return err_set(ERR_INPUT, "'%s' is not JSON: line %d, byte %d: %s", what, e.line, e.position, e.text);
}

static const char *json_type_name(const json_t *v) {
    static const char *const names[] = {"an object", "an array",  "a string",  "an integer",
                                        "a number",  "a boolean", "a boolean", "null"};
    return names[json_typeof(v)];
}

static Err wrong_type(const char *key, const char *want, const json_t *v) {
    return err_set(ERR_INPUT, "'%s' must be %s, not %s", key, want, json_type_name(v));
}

Err json_get_str(const json_t *object, const char *key, Str *out) {
    const json_t *v = json_object_get(object, key);
    if (!v) return ERR_OK;
    if (!json_is_string(v)) return wrong_type(key, "a string", v);
    *out = str_make(json_string_value(v), json_string_length(v));
    return ERR_OK;
}

Err json_get_i64(const json_t *object, const char *key, int64_t *out) {
    const json_t *v = json_object_get(object, key);
    if (!v) return ERR_OK;
    if (!json_is_integer(v)) return wrong_type(key, "an integer", v);
    *out = json_integer_value(v);
    return ERR_OK;
}

Err json_get_f64(const json_t *object, const char *key, double *out) {
    const json_t *v = json_object_get(object, key);
    if (!v) return ERR_OK;
    if (!json_is_number(v)) return wrong_type(key, "a number", v);
    *out = json_number_value(v);
    return ERR_OK;
}

Err json_get_bool(const json_t *object, const char *key, bool *out) {
    const json_t *v = json_object_get(object, key);
    if (!v) return ERR_OK;
    if (!json_is_boolean(v)) return wrong_type(key, "true or false", v);
    *out = json_is_true(v);
    return ERR_OK;
}

/* ---- writing ---- */

/* The comma before a member; after a key there is none. */
static void jout_separate(JsonOut *j) {
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->more >> j->depth & 1) buf_char(j->buf, ',');
    j->more |= (uint64_t)1 << j->depth;
}

void jout_begin(JsonOut *j, char open) {
    jout_separate(j);
    buf_char(j->buf, open);
    if (j->depth < 63) j->depth++;
    j->more &= ~((uint64_t)1 << j->depth);
}

void jout_end(JsonOut *j, char close) {
    if (j->depth) j->depth--;
    buf_char(j->buf, close);
}

static void jout_escaped(Buf *b, Str s) {
    static const char hex[] = "0123456789abcdef";
    buf_char(b, '"');
    size_t plain = 0; /* bytes at s.p that need no change */
    while (plain < s.n) {
        unsigned char c = (unsigned char)s.p[plain];
        uint32_t cp = c;
        size_t len = c < 0x80 ? 1 : utf8_decode(str_from(s, plain), &cp);
        bool ill = cp == UTF8_REPLACEMENT && !(len == 3 && c == 0xEF);
        if (c >= 0x20 && c != '"' && c != '\\' && !ill) {
            plain += len;
            continue;
        }
        buf_add(b, str_upto(s, plain));
        s = str_from(s, plain + len);
        plain = 0;
        if (ill)
            buf_add(b, STR("\xEF\xBF\xBD"));
        else if (c == '"' || c == '\\')
            buf_char(b, '\\'), buf_char(b, (char)c);
        else if (c == '\n')
            buf_add(b, STR("\\n"));
        else if (c == '\r')
            buf_add(b, STR("\\r"));
        else if (c == '\t')
            buf_add(b, STR("\\t"));
        else {
            buf_add(b, STR("\\u00"));
            buf_char(b, hex[c >> 4]);
            buf_char(b, hex[c & 15]);
        }
    }
    buf_add(b, s);
    buf_char(b, '"');
}

void jout_key(JsonOut *j, const char *key) {
    jout_separate(j);
    jout_escaped(j->buf, str_of(key));
    buf_char(j->buf, ':');
    j->after_key = true;
}

void jout_str(JsonOut *j, Str s) {
    if (!s.p) {
        jout_null(j);
        return;
    }
    jout_separate(j);
    jout_escaped(j->buf, s);
}

void jout_i64(JsonOut *j, int64_t v) {
    jout_separate(j);
    buf_printf(j->buf, "%lld", (long long)v);
}

/* The fewest digits that read back: most of what is printed has few, so counting upward is cheap. */
void jout_f64(JsonOut *j, double v) {
    char z[40];
    if (!isfinite(v)) {
        jout_null(j);
        return;
    }
    jout_separate(j);
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(z, sizeof z, "%.*g", digits, v);
        if (strtod(z, NULL) == v) break;
    }
    buf_add_z(j->buf, z);
}

void jout_f32(JsonOut *j, float v) {
    char z[40];
    if (!isfinite(v)) {
        jout_null(j);
        return;
    }
    jout_separate(j);
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(z, sizeof z, "%.*g", digits, (double)v);
        if (strtof(z, NULL) == v) break;
    }
    buf_add_z(j->buf, z);
}

void jout_bool(JsonOut *j, bool v) {
    jout_separate(j);
    buf_add_z(j->buf, v ? "true" : "false");
}

void jout_null(JsonOut *j) {
    jout_separate(j);
    buf_add_z(j->buf, "null");
}

void jout_raw(JsonOut *j, Str json) {
    jout_separate(j);
    buf_add(j->buf, json);
}

void jout_kv_str(JsonOut *j, const char *key, Str s) {
    jout_key(j, key);
    jout_str(j, s);
}

void jout_kv_z(JsonOut *j, const char *key, const char *z) {
    jout_key(j, key);
    jout_str(j, z && *z ? str_of(z) : (Str){NULL, 0});
}

void jout_kv_i64(JsonOut *j, const char *key, int64_t v) {
    jout_key(j, key);
    jout_i64(j, v);
}

void jout_kv_f64(JsonOut *j, const char *key, double v) {
    jout_key(j, key);
    jout_f64(j, v);
}

void jout_kv_bool(JsonOut *j, const char *key, bool v) {
    jout_key(j, key);
    jout_bool(j, v);
}

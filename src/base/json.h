/* json.h - reading JSON with jansson (strict: UTF-8, no duplicate keys, depth 2,048), writing it ourselves.
 *
 * Reading: json_read hands out jansson's own json_t, so that callers use json_object_get and friends; this is the only
 * header that includes <jansson.h>. Writing: JsonOut appends to a Buf with commas and escapes right; floats are written
 * with the fewest digits that read back to the same float.
 */
#ifndef PYTHIA_BASE_JSON_H
#define PYTHIA_BASE_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/* what: named in the error ("config.json"); the byte position is told too. *out must be json_decref'ed. */
MUST_USE Err json_read(Str text, const char *what, json_t **out);

/* Members with checks: a missing key leaves *out alone (ERR_OK), a wrong type is ERR_INPUT naming the key. */
MUST_USE Err json_get_str(const json_t *object, const char *key, Str *out);
MUST_USE Err json_get_i64(const json_t *object, const char *key, int64_t *out);
MUST_USE Err json_get_f64(const json_t *object, const char *key, double *out);
MUST_USE Err json_get_bool(const json_t *object, const char *key, bool *out);

typedef struct {
    Buf *buf;
    uint64_t more;  /* bit d: level d has a member already */
    unsigned depth; /* at most 63 */
    bool after_key;
} JsonOut;

static inline JsonOut jout_to(Buf *b) { return (JsonOut){.buf = b}; }
void jout_begin(JsonOut *j, char open); /* '{' or '[' */
void jout_end(JsonOut *j, char close);  /* '}' or ']' */
void jout_key(JsonOut *j, const char *key);
void jout_str(JsonOut *j, Str s); /* ill-formed UTF-8 becomes U+FFFD; NULL p writes null */
void jout_i64(JsonOut *j, int64_t v);
void jout_f64(JsonOut *j, double v); /* shortest that reads back to the same double; NaN and infinities: null */
void jout_f32(JsonOut *j, float v);
void jout_bool(JsonOut *j, bool v);
void jout_null(JsonOut *j);
void jout_raw(JsonOut *j, Str json); /* text that is JSON already */

/* key and value in one call. */
void jout_kv_str(JsonOut *j, const char *key, Str s);
void jout_kv_z(JsonOut *j, const char *key, const char *z); /* NULL or "" writes null */
void jout_kv_i64(JsonOut *j, const char *key, int64_t v);
void jout_kv_f64(JsonOut *j, const char *key, double v);
void jout_kv_bool(JsonOut *j, const char *key, bool v);

#endif

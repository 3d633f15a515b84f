/* fields.h - what a request may hold: a table of fields that checks it, and describes it (OpenAPI, MCP).
 *
 * One row a field: name, types, limits, default, help. A request that has passed fields_check holds only what its
 * handler knows, each of the right type and within its limits; handlers read it without looking again. The same rows
 * make the JSON Schema that clients see, so that the two cannot disagree.
 *
 * Threads: tables are constant; any.
 */
#ifndef PYTHIA_SERVE_FIELDS_H
#define PYTHIA_SERVE_FIELDS_H

#include "base/arena.h"
#include "base/json.h"

/* A set: a field may be any of them. */
typedef enum {
    FIELD_STR = 1,
    FIELD_STRS = 2, /* array of strings */
    FIELD_INT = 4,
    FIELD_NUM = 8,
    FIELD_BOOL = 16,
    FIELD_OBJECT = 32,    /* with members */
    FIELD_OBJECTS = 64,   /* array of such */
    FIELD_ANY = 128,      /* an object of anything */
    FIELD_NUMS = 256,     /* array of numbers; requests: of integers, within min and max */
    FIELD_NUMLISTS = 512, /* array of such, none of them empty in a request */
    FIELD_NULL = 1024,    /* replies: may be null. Requests: null is as good as missing, always */
} FieldTypes;

enum {
    FIELD_REQUIRED = 1,
    FIELD_TOOL = 2,    /* offered to agents (MCP) too */
    FIELD_IGNORED = 4, /* clients of other services send it; it changes nothing here */
    FIELD_BLANK_OK = 8 /* a string may be empty */
};

typedef struct Field Field;
struct Field {
    const char *name; /* NULL: end of the table */
    int types;
    int flags;
    const char *alias;    /* another name ("q" for "query"); NULL: none */
    double min, max;      /* numbers; min == max: not limited */
    size_t max_bytes;     /* of a string, or of each string of an array; 0: FIELD_BYTES_MAX. See FIELD_NAME_MAX */
    size_t max_items;     /* of an array, of numbers aside; 0: FIELD_ITEMS_MAX */
    const char *values;   /* "a|b|c"; NULL: any */
    const char *standard; /* the default as JSON text, for the description; NULL: none */
    const char *help;
    const Field *members; /* of FIELD_OBJECT and FIELD_OBJECTS */
};

#define FIELD_BYTES_MAX ((size_t)16 << 20)
#define FIELD_NAME_MAX                                                                                                 \
    ((size_t)4096) /* a limit up to here is of names and paths, which have no NUL; others' are of texts */
#define FIELD_ITEMS_MAX   ((size_t)2048)
#define FIELD_NUMBERS_MAX ((size_t)1 << 20) /* of an array of numbers */

/* object is a JSON object, else ERR_USAGE. ERR_USAGE names the field and what is valid: an unknown name, a missing one,
 * a wrong type, a value out of range; ERR_LIMIT: too long. Members that are null and aliases are put right in place. */
MUST_USE Err fields_check(const Field *fields, json_t *object);

/* Sets name in object from text as it stands in a URL (or on the command line): by the field's type. Repeats append to
 * arrays; for other types a second one is ERR_USAGE. Unknown names are ERR_USAGE. */
MUST_USE Err fields_set(const Field *fields, json_t *object, Str name, Str text);

/* The JSON Schema (2020-12) of an object with these fields. which: 0 all, FIELD_TOOL only those offered to agents. */
void fields_schema(JsonOut *j, const Field *fields, int which, bool closed);

/* "a, b and c": for messages. */
void fields_names(Buf *b, const Field *fields);

/* ---- reading what was checked; missing fields give the value at the end ---- */
Str field_str(const json_t *object, const char *name, const char *otherwise);
int64_t field_i64(const json_t *object, const char *name, int64_t otherwise);
double field_f64(const json_t *object, const char *name, double otherwise);
bool field_bool(const json_t *object, const char *name, bool otherwise);
/* A string is an array of one. *n 0 when missing. The strings are the object's. */
MUST_USE Err field_strs(Arena *a, const json_t *object, const char *name, const Str **out, size_t *n);

#endif

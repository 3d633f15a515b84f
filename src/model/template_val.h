/* template_val.h - the values that a chat template works with: those of JSON, and what a template makes of them.
 *
 * Values are Python's where templates can see it: text is counted in characters, True prints as "True", a list as its
 * repr. They are immutable but for namespaces, live in the rendering's arena, and borrow texts from the input.
 */
#ifndef PYTHIA_MODEL_TEMPLATE_VAL_H
#define PYTHIA_MODEL_TEMPLATE_VAL_H

#include "base/arena.h"
#include "base/json.h"

typedef enum {
    VAL_UNDEFINED, /* str: what is undefined, for messages */
    VAL_NONE,
    VAL_BOOL,
    VAL_INT,
    VAL_FLOAT,
    VAL_STR,
    VAL_LIST,
    VAL_DICT,
    VAL_NAMESPACE, /* dict; the only thing that changes */
    VAL_LOOP,
    VAL_MACRO,
    VAL_FUNCTION, /* str: its name */
    VAL_METHOD    /* of a value: `method` */
} ValKind;

/* What a list is to the reference; all are the same to us but for how they print and whether they are true. */
typedef enum { LIST_PLAIN, LIST_TUPLE, LIST_LAZY /* a generator: always true, has no length */ } ListKind;

typedef struct Val Val;
typedef struct ValPair ValPair;

typedef struct {
    Val *items; /* [n] */
    size_t n;
    ListKind kind;
} ValList;

typedef struct {
    ValPair *pairs; /* [n] in the order of making; keys differ */
    size_t n, capacity;
} ValDict;

typedef struct {
    Val *items; /* [n] what is walked */
    size_t n, at;
    const ValList *old; /* what changed() saw last; NULL: nothing yet */
} ValLoop;

typedef struct ValMacro ValMacro;
typedef struct ValMethod ValMethod;

struct Val {
    ValKind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        Str str;
        ValList *list;
        ValDict *dict;
        ValLoop *loop;
        const ValMacro *macro;
        const ValMethod *method;
    };
};

struct ValPair {
    Val key, value;
};

struct ValMethod {
    Val self;
    Str name;
};

static inline Val val_none(void) { return (Val){.kind = VAL_NONE}; }
static inline Val val_undefined(Str what) { return (Val){.kind = VAL_UNDEFINED, .str = what}; }
static inline Val val_bool(bool b) { return (Val){.kind = VAL_BOOL, .boolean = b}; }
static inline Val val_int(int64_t i) { return (Val){.kind = VAL_INT, .integer = i}; }
static inline Val val_size(size_t n) { return val_int((int64_t)n); }
static inline Val val_float(double f) { return (Val){.kind = VAL_FLOAT, .real = f}; }
static inline Val val_str(Str s) { return (Val){.kind = VAL_STR, .str = s}; }

static inline bool val_is(Val v, ValKind kind) { return v.kind == kind; }
/* Python's numbers have the booleans among them. */
static inline bool val_is_whole(Val v) { return v.kind == VAL_INT || v.kind == VAL_BOOL; }
static inline bool val_is_number(Val v) { return val_is_whole(v) || v.kind == VAL_FLOAT; }
static inline int64_t val_whole(Val v) { return v.kind == VAL_BOOL ? v.boolean : v.integer; }
static inline double val_real(Val v) { return v.kind == VAL_FLOAT ? v.real : (double)val_whole(v); }

/* What Python calls it: "dict". */
const char *val_type(Val v);

bool val_truth(Val v);

/* Python's ==. depth: how deep it still looks; deeper lists are unequal. Adds to *cost what it looked at. */
bool val_equal(Val a, Val b, unsigned depth, size_t *cost);

/* A list of n items, zeroed (undefined); NULL: arena_error(). */
ValList *val_list_new(Arena *a, size_t n, ListKind kind);
static inline Val val_list(ValList *list) { return (Val){.kind = VAL_LIST, .list = list}; }

ValDict *val_dict_new(Arena *a);
static inline Val val_dict(ValDict *dict) { return (Val){.kind = VAL_DICT, .dict = dict}; }
MUST_USE Err val_dict_put(Arena *a, ValDict *d, Val key, Val value);
/* NULL when there is none. Adds to *cost the pairs looked at. */
Val *val_dict_get(const ValDict *d, Val key, size_t *cost);

/* Characters of s, and the bytes before the i-th (at most s.n); s is well-formed. */
size_t val_chars(Str s);
size_t val_char_at(Str s, size_t i);

/* JSON as values; texts are borrowed. ERR_LIMIT: deeper than TEMPLATE_DEPTH_MAX. */
MUST_USE Err val_from_json(Arena *a, const json_t *j, unsigned depth, Val *out);

#endif

/* template_run.h - one rendering of a chat template: what its parts share. Private to template_*.c.
 *
 * Everything lives in the rendering's arena, which has a limit; what takes time is paid for in steps (run_spend).
 */
#ifndef PYTHIA_MODEL_TEMPLATE_RUN_H
#define PYTHIA_MODEL_TEMPLATE_RUN_H

#include "model/template.h"
#include "model/template_node.h"
#include "model/template_val.h"

/* Names and their values; a loop's pass, a macro's call and a `with` have one each. In the arena: macros keep
 * theirs. */
typedef struct Scope {
    struct Scope *up;
    ValDict vars;
} Scope;

/* A macro, or the body of a call block (its caller()). */
struct ValMacro {
    const Node *params, *body;
    Scope *scope; /* where it was made */
    Str name;
};

typedef enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } Flow;

typedef struct {
    Arena *arena;
    const char *name; /* the model's */
    int64_t now_ms;
    uint32_t line; /* being run */
    size_t steps;
    unsigned depth; /* of evaluation, bodies and calls */
    Buf *out;
    Scope *scope;
    Flow flow;              /* a jump on its way to its loop */
    Val captured;           /* of the block whose filters run */
    const ValMacro *caller; /* for the macro that a call block calls; taken over when it starts */
} Render;

/* What a call, filter, test or method is given. */
typedef struct {
    const Val *items; /* [n] plain ones */
    size_t n;
    const ValPair *named; /* [n_named] */
    size_t n_named;
} Args;

enum { ARGS_MAX = 6 }; /* of what is built in */

/* ---- template.c ---- */
Err run_fail(const Render *r, Err code, const char *fmt, ...) PRINTF_LIKE(3, 4);
MUST_USE Err run_spend(Render *r, size_t steps);
/* One level deeper; leave by r->depth--. */
MUST_USE Err run_enter(Render *r);
MUST_USE Err run_write(Render *r, Str text);
/* What b holds as a value; b is freed in any case. */
MUST_USE Err run_take(Render *r, Buf *b, Val *out);

/* ---- template_exec.c ---- */
MUST_USE Err run_body(Render *r, const Node *body);
/* The body's output as a value. */
MUST_USE Err run_captured(Render *r, const Node *body, Val *out);
/* Puts value into a name, a field, or a tuple of them. */
MUST_USE Err run_assign(Render *r, const Node *target, Val value);
MUST_USE Err run_scope(Render *r, Scope *up, Scope **out);
MUST_USE Err run_set(Render *r, Scope *scope, Str name, Val value);

/* ---- template_eval.c ---- */
MUST_USE Err run_eval(Render *r, const Node *n, Val *out);
MUST_USE Err run_args(Render *r, const Node *list, Args *out);
/* value.name and value[key] as the reference looks them up; what is not there is undefined. */
MUST_USE Err run_attr(Render *r, Val value, Str name, Val *out);
MUST_USE Err run_item(Render *r, Val value, Val key, Val *out);
/* a < b: -1, 0, 1; an error for what has no order. */
MUST_USE Err run_order(Render *r, Val a, Val b, int *out);
MUST_USE Err run_contains(Render *r, Val container, Val item, bool *out);
MUST_USE Err run_equal(Render *r, Val a, Val b, bool *out);
MUST_USE Err run_add(Render *r, Val a, Val b, Val *out);

/* ---- template_call.c ---- */
MUST_USE Err run_call(Render *r, Val callee, const Args *args, Val *out);
bool run_is_function(Str name);

/* Arguments by place or by name. spec: "sep maxsplit", names in order; out [names]: undefined where nothing was given.
 * The first `needed` must be given. */
MUST_USE Err bind_args(const Render *r, Str what, const Args *args, const char *spec, size_t needed, Val out[ARGS_MAX]);
MUST_USE Err bind_str(const Render *r, Str what, Val v, Str *out);       /* text, or an error */
MUST_USE Err bind_whole(const Render *r, Str what, Val v, int64_t *out); /* undefined leaves *out */

/* ---- template_method.c ---- */
bool method_known(Val self, Str name);
MUST_USE Err method_call(Render *r, const ValMethod *m, const Args *args, Val *out);
MUST_USE Err dict_items(Render *r, const ValDict *d, ListKind kind, Val *out);

/* ---- template_text.c ---- */
/* Python's str(): the value's own text, no copy, where it is text. */
MUST_USE Err run_str(Render *r, Val v, Str *out);
/* The same, appended. */
MUST_USE Err text_add(Render *r, Buf *b, Val v);

typedef struct {
    bool ascii, sort;
    Str indent; /* NULL p: all in one line */
    Str comma, colon;
} JsonStyle;

MUST_USE Err text_json(Render *r, Buf *b, Val v, const JsonStyle *style, unsigned depth);
Str text_trim(Str s, Str chars, bool left, bool right); /* chars NULL p: white space */
void text_case(Buf *b, Str s, int32_t (*fn)(int32_t));
void text_title(Buf *b, Str s, bool filter); /* the filter's idea of a word, or the method's */
void text_capitalize(Buf *b, Str s);
void text_replace(Buf *b, Str s, Str old, Str new, int64_t count);

/* ---- template_filter.c, template_seq.c ---- */
typedef Err (*FilterFn)(Render *r, Str name, Val self, const Args *args, Val *out);
typedef struct {
    const char *name;
    FilterFn fn;
} Filter;
extern const Filter filter_seq_table[]; /* those of lists; NULL at the end */
MUST_USE Err run_filter(Render *r, Str name, Val self, const Args *args, Val *out);
/* The items that a loop over v walks. */
MUST_USE Err run_items(Render *r, Val v, Val **items, size_t *n);

/* ---- template_test.c ---- */
MUST_USE Err run_test(Render *r, Str name, Val self, const Args *args, bool *out);

#endif

/* template_node.h - a parsed chat template: one kind of node for statements and expressions.
 *
 * What the fields mean stands beside each kind. Lists are chained by `next`; `line` is for messages.
 */
#ifndef PYTHIA_MODEL_TEMPLATE_NODE_H
#define PYTHIA_MODEL_TEMPLATE_NODE_H

#include "model/template_lex.h"
#include "model/template_val.h"

typedef enum {
    /* statements */
    NODE_DATA,         /* str */
    NODE_OUTPUT,       /* a: expression */
    NODE_IF,           /* a: test, b: body, c: statements else (an elif is an IF there) */
    NODE_FOR,          /* a: target, b: over what, c: condition or NULL, d: body, e: else */
    NODE_SET,          /* a: target, b: value */
    NODE_SET_BLOCK,    /* a: target, b: body, c: filters or NULL, around a NODE_CAPTURED */
    NODE_MACRO,        /* str: name, a: PARAMs, b: body */
    NODE_CALL_BLOCK,   /* a: PARAMs of caller(), b: body, c: the CALL */
    NODE_FILTER_BLOCK, /* b: body, c: filters around a NODE_CAPTURED */
    NODE_GENERATION,   /* b: body */
    NODE_WITH,         /* a: SETs, b: body */
    NODE_BREAK,
    NODE_CONTINUE,
    /* expressions */
    NODE_CONST,      /* value */
    NODE_NAME,       /* str */
    NODE_LIST,       /* a: items */
    NODE_TUPLE,      /* a: items */
    NODE_DICT,       /* a: PAIRs */
    NODE_PAIR,       /* a: key, b: value */
    NODE_ATTR,       /* a.str */
    NODE_ITEM,       /* a[b] */
    NODE_SLICE,      /* a[b:c:d], each of b, c, d or NULL */
    NODE_CALL,       /* a(b: arguments) */
    NODE_KEYWORD,    /* str=a, an argument */
    NODE_SPREAD,     /* *a, arguments */
    NODE_FILTER,     /* a|str(b: arguments) */
    NODE_TEST,       /* a is str(b: arguments) */
    NODE_NOT,        /* a */
    NODE_NEGATIVE,   /* -a */
    NODE_POSITIVE,   /* +a */
    NODE_AND,        /* a, b */
    NODE_OR,         /* a, b */
    NODE_COMPARE,    /* a, then b: COMPARE_TOs */
    NODE_COMPARE_TO, /* op, a */
    NODE_BINARY,     /* a op b */
    NODE_CONCAT,     /* a: parts */
    NODE_CHOICE,     /* b if a else c; c or NULL */
    NODE_CAPTURED,   /* what a block put out */
    /* others */
    NODE_PARAM, /* str, a: default or NULL */
    NODE_FIELD  /* str: of the namespace in `value.str`, a target */
} NodeKind;

typedef enum {
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_FLOOR_DIVIDE,
    OP_REMAINDER,
    OP_POWER,
    OP_EQUAL,
    OP_UNEQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IN,
    OP_NOT_IN
} NodeOp;

typedef struct Node Node;

struct Node {
    NodeKind kind;
    NodeOp op;
    uint32_t line;
    Str str;
    Val value;
    Node *a, *b, *c, *d, *e;
    Node *next;
};

typedef struct {
    Arena *arena;
    const char *name;
    const LexToken *tokens; /* [n], LEX_END last */
    size_t at;
    unsigned depth; /* of what is being parsed */
    unsigned loops; /* around it, in this macro */
} Parser;

/* ---- template_parse.c ---- */
MUST_USE Err parse_template(Arena *a, const LexToken *tokens, const char *name, Node **out);

/* ---- shared by template_parse.c and template_expr.c ---- */
MUST_USE Err parse_node(Parser *p, NodeKind kind, Node **out);
bool parse_is_op(const Parser *p, const char *op);
bool parse_is_name(const Parser *p, const char *name);
bool parse_skip_op(Parser *p, const char *op);
bool parse_skip_name(Parser *p, const char *name);
MUST_USE Err parse_expect_op(Parser *p, const char *op);
MUST_USE Err parse_expect_name(Parser *p, Str *out); /* any name */
Err parse_fail(const Parser *p, const char *wanted); /* "unexpected 'x', wanted <wanted>" */
MUST_USE Err parse_enter(Parser *p);                 /* one level deeper; ERR_LIMIT */
static inline void parse_leave(Parser *p) { p->depth--; }

/* ---- template_expr.c ---- */
MUST_USE Err parse_expr(Parser *p, Node **out);
/* a, b: a tuple where there are commas. */
MUST_USE Err parse_exprs(Parser *p, Node **out);
MUST_USE Err parse_or(Parser *p, Node **out); /* without `if` */
/* One of the names a `for` or `set` fills, or a tuple of them; fields of namespaces too where `fields`. */
MUST_USE Err parse_target(Parser *p, bool fields, Node **out);
/* "| a | b(1)" behind *node. */
MUST_USE Err parse_filters(Parser *p, Node **node);
MUST_USE Err parse_call_args(Parser *p, Node **out);

#endif

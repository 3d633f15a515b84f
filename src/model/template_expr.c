/* template_expr.c - expressions of a chat template, by descent; weakest first:
 *
 *     b if a else c       or       and       not       == != < <= > >= in, not in
 *     + -       ~       * / // %       **       - + (signs)       .a [b] (c) |filter is test
 *
 * That is Jinja's order, not Python's: "~" stands between + and *, and a sign binds closer than "**".
 */
#include "model/template.h"
#include "model/template_node.h"

typedef Err (*ParseFn)(Parser *p, Node **out);

static const LexToken *now(const Parser *p) { return &p->tokens[p->at]; }

/* ---- arguments and primaries ---- */

/* One of a call's: "x", "name=x" or "*x". */
static Err parse_arg(Parser *p, Node **out) {
    const LexToken *t = now(p);
    if (parse_is_op(p, "**"))
        return template_error(ERR_UNSUPPORTED, p->name, t->line, "'**' in a call is not supported");
    if (parse_skip_op(p, "*")) {
        TRY(parse_node(p, NODE_SPREAD, out));
        return parse_expr(p, &(*out)->a);
    }
    bool keyword = t->kind == LEX_NAME && t[1].kind == LEX_OP && str_is(t[1].text, "=");
    if (!keyword) return parse_expr(p, out);
    TRY(parse_node(p, NODE_KEYWORD, out));
    (*out)->str = t->text;
    p->at += 2;
    return parse_expr(p, &(*out)->a);
}

/* Items up to the closing bracket, which is taken; a comma may stand behind the last. */
static Err parse_items(Parser *p, const char *close, ParseFn item, Node **out, bool *comma) {
    Node **end = out;
    *comma = false;
    while (!parse_skip_op(p, close)) {
        if (*out) {
            if (!parse_is_op(p, ",")) return parse_fail(p, close);
            p->at++;
            *comma = true;
            if (parse_skip_op(p, close)) break;
        }
        TRY(item(p, end));
        end = &(*end)->next;
    }
    return ERR_OK;
}

Err parse_call_args(Parser *p, Node **out) {
    bool comma, keyword = false;
    TRY(parse_expect_op(p, "("));
    TRY(parse_items(p, ")", parse_arg, out, &comma));
    for (const Node *arg = *out; arg; arg = arg->next) {
        if (keyword && arg->kind != NODE_KEYWORD && arg->kind != NODE_SPREAD)
            return template_error(ERR_CORRUPT, p->name, arg->line, "a plain argument follows a named one");
        keyword |= arg->kind == NODE_KEYWORD;
    }
    return ERR_OK;
}

static Err parse_pair(Parser *p, Node **out) {
    TRY(parse_node(p, NODE_PAIR, out));
    TRY(parse_expr(p, &(*out)->a));
    TRY(parse_expect_op(p, ":"));
    return parse_expr(p, &(*out)->b);
}

static Err parse_parens(Parser *p, Node **out) {
    Node *first = NULL;
    bool comma;
    uint32_t line = now(p)->line;
    p->at++;
    TRY(parse_items(p, ")", parse_expr, &first, &comma));
    if (first && !comma) {
        *out = first;
        return ERR_OK;
    }
    TRY(parse_node(p, NODE_TUPLE, out));
    (*out)->line = line;
    (*out)->a = first;
    return ERR_OK;
}

static Err parse_brackets(Parser *p, Node **out) {
    bool comma, dict = parse_is_op(p, "{");
    TRY(parse_node(p, dict ? NODE_DICT : NODE_LIST, out));
    p->at++;
    return parse_items(p, dict ? "}" : "]", dict ? parse_pair : parse_expr, &(*out)->a, &comma);
}

/* Digits as written, "_" between them. */
static Err parse_number(Parser *p, Node **out) {
    const LexToken *t = now(p);
    char digits[64];
    size_t n = 0;
    for (size_t i = 0; i < t->text.n && n < sizeof digits; i++)
        if (t->text.p[i] != '_') digits[n++] = t->text.p[i];
    Str text = str_make(digits, n);
    int64_t whole = 0;
    double real = 0;
    TRY(parse_node(p, NODE_CONST, out));
    bool ok = n < sizeof digits && (t->kind == LEX_INT ? str_to_i64(text, &whole) : str_to_f64(text, &real));
    if (!ok) return template_error(ERR_CORRUPT, p->name, t->line, "'%.*s' is no number", STR_FMT(t->text));
    (*out)->value = t->kind == LEX_INT ? val_int(whole) : val_float(real);
    p->at++;
    return ERR_OK;
}

/* "a" "b" is one string. */
static Err parse_string(Parser *p, Node **out) {
    size_t n = 0, first = p->at;
    TRY(parse_node(p, NODE_CONST, out));
    for (; now(p)->kind == LEX_STRING; p->at++) n += now(p)->text.n;
    Str all = p->tokens[first].text;
    if (p->at > first + 1) {
        char *text = arena_alloc(p->arena, n);
        if (!text) return arena_error();
        all = str_make(text, n);
        for (; first < p->at; text += p->tokens[first++].text.n)
            if (p->tokens[first].text.n) memcpy(text, p->tokens[first].text.p, p->tokens[first].text.n);
    }
    (*out)->value = val_str(all);
    return ERR_OK;
}

static Err parse_name(Parser *p, Node **out) {
    static const struct {
        const char *name;
        Val value;
    } words[] = {{"true", {VAL_BOOL, {.boolean = true}}},
                 {"True", {VAL_BOOL, {.boolean = true}}},
                 {"false", {VAL_BOOL, {.boolean = false}}},
                 {"False", {VAL_BOOL, {.boolean = false}}},
                 {"none", {VAL_NONE, {0}}},
                 {"None", {VAL_NONE, {0}}}};
    TRY(parse_node(p, NODE_NAME, out));
    (*out)->str = now(p)->text;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is((*out)->str, words[i].name)) {
            (*out)->kind = NODE_CONST;
            (*out)->value = words[i].value;
        }
    p->at++;
    return ERR_OK;
}

static Err parse_primary(Parser *p, Node **out) {
    switch (now(p)->kind) {
    case LEX_NAME:
        return parse_name(p, out);
    case LEX_STRING:
        return parse_string(p, out);
    case LEX_INT:
    case LEX_FLOAT:
        return parse_number(p, out);
    default:
        if (parse_is_op(p, "(")) return parse_parens(p, out);
        if (parse_is_op(p, "[") || parse_is_op(p, "{")) return parse_brackets(p, out);
        return parse_fail(p, "a value");
    }
}

/* ---- what stands behind a value ---- */

static Err parse_wrap(Parser *p, NodeKind kind, Node **node) {
    Node *inner = *node;
    TRY(parse_node(p, kind, node));
    (*node)->a = inner;
    return ERR_OK;
}

static Err parse_attr(Parser *p, Node **node) {
    p->at++;
    const LexToken *t = now(p);
    if (t->kind == LEX_INT) { /* x.0 is x[0] */
        TRY(parse_wrap(p, NODE_ITEM, node));
        return parse_number(p, &(*node)->b);
    }
    TRY(parse_wrap(p, NODE_ATTR, node));
    return parse_expect_name(p, &(*node)->str);
}

/* [b], [b:c], [b:c:d] with any of them left out */
static Err parse_subscript(Parser *p, Node **node) {
    p->at++;
    TRY(parse_wrap(p, NODE_ITEM, node));
    Node **parts[] = {&(*node)->b, &(*node)->c, &(*node)->d};
    for (size_t i = 0; i < 3; i++) {
        if (!parse_is_op(p, ":") && !parse_is_op(p, "]")) TRY(parse_expr(p, parts[i]));
        if (!parse_is_op(p, ":") || i == 2) break;
        (*node)->kind = NODE_SLICE;
        p->at++;
    }
    if ((*node)->kind == NODE_ITEM && !(*node)->b) return parse_fail(p, "an index");
    return parse_expect_op(p, "]");
}

static Err parse_call(Parser *p, Node **node) {
    TRY(parse_wrap(p, NODE_CALL, node));
    return parse_call_args(p, &(*node)->b);
}

static Err parse_postfix(Parser *p, Node **node) {
    for (;;) {
        if (parse_is_op(p, "."))
            TRY(parse_attr(p, node));
        else if (parse_is_op(p, "["))
            TRY(parse_subscript(p, node));
        else if (parse_is_op(p, "("))
            TRY(parse_call(p, node));
        else
            return ERR_OK;
    }
}

Err parse_filters(Parser *p, Node **node) {
    while (parse_skip_op(p, "|")) {
        TRY(parse_wrap(p, NODE_FILTER, node));
        TRY(parse_expect_name(p, &(*node)->str));
        if (parse_is_op(p, "(")) TRY(parse_call_args(p, &(*node)->b));
    }
    return ERR_OK;
}

/* Behind `is`: the test, and its arguments in brackets, or one without. */
static Err parse_test(Parser *p, Node **node) {
    bool negated = parse_skip_name(p, "not");
    TRY(parse_wrap(p, NODE_TEST, node));
    Node *test = *node;
    TRY(parse_expect_name(p, &test->str));
    if (parse_is_op(p, "(")) {
        TRY(parse_call_args(p, &test->b));
    } else {
        LexKind kind = now(p)->kind;
        bool word = kind == LEX_NAME && !parse_is_name(p, "else") && !parse_is_name(p, "or") &&
                    !parse_is_name(p, "and") && !parse_is_name(p, "if") && !parse_is_name(p, "is") &&
                    !parse_is_name(p, "not") && !parse_is_name(p, "in") && !parse_is_name(p, "recursive");
        if (word || kind == LEX_STRING || kind == LEX_INT || kind == LEX_FLOAT || parse_is_op(p, "[") ||
            parse_is_op(p, "{")) {
            TRY(parse_primary(p, &test->b));
            TRY(parse_postfix(p, &test->b));
        }
    }
    return negated ? parse_wrap(p, NODE_NOT, node) : ERR_OK;
}

static Err parse_behind(Parser *p, Node **node) {
    for (;;) {
        if (parse_is_op(p, "|"))
            TRY(parse_filters(p, node));
        else if (parse_skip_name(p, "is"))
            TRY(parse_test(p, node));
        else if (parse_is_op(p, "("))
            TRY(parse_call(p, node));
        else
            return ERR_OK;
    }
}

/* ---- operators ---- */

static Err parse_signed(Parser *p, bool behind, Node **out) {
    bool minus = parse_is_op(p, "-");
    TRY(parse_enter(p));
    if (minus || parse_is_op(p, "+")) {
        TRY(parse_node(p, minus ? NODE_NEGATIVE : NODE_POSITIVE, out));
        p->at++;
        TRY(parse_signed(p, false, &(*out)->a));
    } else {
        TRY(parse_primary(p, out));
    }
    parse_leave(p);
    TRY(parse_postfix(p, out));
    return behind ? parse_behind(p, out) : ERR_OK;
}

static Err parse_unary(Parser *p, Node **out) { return parse_signed(p, true, out); }

typedef struct {
    const char *text;
    NodeOp op;
} OpName;

/* x op y op z with operators of equal strength, from the left. */
static Err parse_binary(Parser *p, const OpName *ops, size_t n, ParseFn next, Node **out) {
    TRY(next(p, out));
    for (;;) {
        size_t i = 0;
        while (i < n && !parse_is_op(p, ops[i].text)) i++;
        if (i == n) return ERR_OK;
        TRY(parse_wrap(p, NODE_BINARY, out));
        (*out)->op = ops[i].op;
        p->at++;
        TRY(next(p, &(*out)->b));
    }
}

static Err parse_power(Parser *p, Node **out) {
    static const OpName ops[] = {{"**", OP_POWER}};
    return parse_binary(p, ops, 1, parse_unary, out);
}

static Err parse_product(Parser *p, Node **out) {
    static const OpName ops[] = {{"*", OP_MULTIPLY}, {"/", OP_DIVIDE}, {"//", OP_FLOOR_DIVIDE}, {"%", OP_REMAINDER}};
    return parse_binary(p, ops, 4, parse_power, out);
}

static Err parse_concat(Parser *p, Node **out) {
    TRY(parse_product(p, out));
    if (!parse_is_op(p, "~")) return ERR_OK;
    TRY(parse_wrap(p, NODE_CONCAT, out));
    for (Node *last = (*out)->a; parse_skip_op(p, "~"); last = last->next) TRY(parse_product(p, &last->next));
    return ERR_OK;
}

static Err parse_sum(Parser *p, Node **out) {
    static const OpName ops[] = {{"+", OP_ADD}, {"-", OP_SUBTRACT}};
    return parse_binary(p, ops, 2, parse_concat, out);
}

static bool take_comparison(Parser *p, NodeOp *op) {
    static const OpName ops[] = {{"==", OP_EQUAL},      {"!=", OP_UNEQUAL}, {"<", OP_LESS},
                                 {"<=", OP_LESS_EQUAL}, {">", OP_GREATER},  {">=", OP_GREATER_EQUAL}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (parse_skip_op(p, ops[i].text)) {
            *op = ops[i].op;
            return true;
        }
    *op = OP_IN;
    if (parse_skip_name(p, "in")) return true;
    const LexToken *t = now(p);
    *op = OP_NOT_IN;
    if (!parse_is_name(p, "not") || t[1].kind != LEX_NAME || !str_is(t[1].text, "in")) return false;
    p->at += 2;
    return true;
}

static Err parse_compare(Parser *p, Node **out) {
    NodeOp op;
    TRY(parse_sum(p, out));
    for (Node **end = NULL; take_comparison(p, &op); end = &(*end)->next) {
        if (!end) {
            TRY(parse_wrap(p, NODE_COMPARE, out));
            end = &(*out)->b;
        }
        TRY(parse_node(p, NODE_COMPARE_TO, end));
        (*end)->op = op;
        TRY(parse_sum(p, &(*end)->a));
    }
    return ERR_OK;
}

static Err parse_not(Parser *p, Node **out) {
    if (!parse_is_name(p, "not")) return parse_compare(p, out);
    TRY(parse_enter(p));
    TRY(parse_node(p, NODE_NOT, out));
    p->at++;
    TRY(parse_not(p, &(*out)->a));
    parse_leave(p);
    return ERR_OK;
}

static Err parse_and(Parser *p, Node **out) {
    TRY(parse_not(p, out));
    while (parse_skip_name(p, "and")) {
        TRY(parse_wrap(p, NODE_AND, out));
        TRY(parse_not(p, &(*out)->b));
    }
    return ERR_OK;
}

Err parse_or(Parser *p, Node **out) {
    TRY(parse_and(p, out));
    while (parse_skip_name(p, "or")) {
        TRY(parse_wrap(p, NODE_OR, out));
        TRY(parse_and(p, &(*out)->b));
    }
    return ERR_OK;
}

Err parse_expr(Parser *p, Node **out) {
    TRY(parse_enter(p));
    TRY(parse_or(p, out));
    while (parse_skip_name(p, "if")) {
        Node *then = *out;
        TRY(parse_node(p, NODE_CHOICE, out));
        (*out)->b = then;
        TRY(parse_or(p, &(*out)->a));
        if (parse_skip_name(p, "else")) TRY(parse_expr(p, &(*out)->c));
    }
    parse_leave(p);
    return ERR_OK;
}

Err parse_exprs(Parser *p, Node **out) {
    TRY(parse_expr(p, out));
    if (!parse_is_op(p, ",")) return ERR_OK;
    TRY(parse_wrap(p, NODE_TUPLE, out));
    for (Node *last = (*out)->a; parse_skip_op(p, ","); last = last->next) {
        if (now(p)->kind == LEX_BLOCK_END || now(p)->kind == LEX_OUTPUT_END) break;
        TRY(parse_expr(p, &last->next));
    }
    return ERR_OK;
}

/* ---- targets ---- */

static Err parse_one_target(Parser *p, bool fields, Node **out) {
    Str name;
    TRY(parse_node(p, NODE_NAME, out));
    TRY(parse_expect_name(p, &name));
    (*out)->str = name;
    if (!fields || !parse_skip_op(p, ".")) return ERR_OK;
    (*out)->kind = NODE_FIELD;
    (*out)->value = val_str(name);
    return parse_expect_name(p, &(*out)->str);
}

Err parse_target(Parser *p, bool fields, Node **out) {
    bool parens = parse_skip_op(p, "(");
    TRY(parse_one_target(p, fields, out));
    if (parse_is_op(p, ",")) {
        TRY(parse_wrap(p, NODE_TUPLE, out));
        for (Node *last = (*out)->a; parse_skip_op(p, ",") && now(p)->kind == LEX_NAME; last = last->next)
            TRY(parse_one_target(p, fields, &last->next));
    }
    return parens ? parse_expect_op(p, ")") : ERR_OK;
}

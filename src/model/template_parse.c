/* template_parse.c - statements of a chat template, from tokens to nodes. */
#include "model/template.h"
#include "model/template_node.h"

static const LexToken *now(const Parser *p) { return &p->tokens[p->at]; }

Err parse_node(Parser *p, NodeKind kind, Node **out) {
    Node *node = arena_new(p->arena, Node);
    if (!node) return arena_error();
    node->kind = kind;
    node->line = now(p)->line;
    *out = node;
    return ERR_OK;
}

bool parse_is_op(const Parser *p, const char *op) { return now(p)->kind == LEX_OP && str_is(now(p)->text, op); }
bool parse_is_name(const Parser *p, const char *name) { return now(p)->kind == LEX_NAME && str_is(now(p)->text, name); }

bool parse_skip_op(Parser *p, const char *op) {
    bool is = parse_is_op(p, op);
    p->at += is;
    return is;
}

bool parse_skip_name(Parser *p, const char *name) {
    bool is = parse_is_name(p, name);
    p->at += is;
    return is;
}

Err parse_fail(const Parser *p, const char *wanted) {
    static const char *const ends[] = {[LEX_OUTPUT_END] = "}}", [LEX_BLOCK_END] = "%}", [LEX_OUTPUT] = "{{",
                                       [LEX_BLOCK] = "{%",      [LEX_DATA] = "text",    [LEX_END] = "end"};
    const LexToken *t = now(p);
    Str text = t->text.n ? str_upto(t->text, 64) : t->kind == LEX_STRING ? STR("") : str_of(ends[t->kind]);
    return template_error(ERR_CORRUPT, p->name, t->line, "unexpected '%.*s', wanted %s%s%s", STR_FMT(text),
                          strlen(wanted) <= 2 ? "'" : "", wanted, strlen(wanted) <= 2 ? "'" : "");
}

Err parse_expect_op(Parser *p, const char *op) { return parse_skip_op(p, op) ? ERR_OK : parse_fail(p, op); }

Err parse_expect_name(Parser *p, Str *out) {
    if (now(p)->kind != LEX_NAME) return parse_fail(p, "a name");
    *out = p->tokens[p->at++].text;
    return ERR_OK;
}

Err parse_enter(Parser *p) {
    if (p->depth++ < TEMPLATE_DEPTH_MAX) return ERR_OK;
    return template_error(ERR_LIMIT, p->name, now(p)->line, "more than %d levels within each other",
                          TEMPLATE_DEPTH_MAX);
}

static Err expect_end(Parser *p, LexKind kind) {
    if (now(p)->kind != kind) return parse_fail(p, kind == LEX_OUTPUT_END ? "}}" : "%}");
    p->at++;
    return ERR_OK;
}

/* ---- bodies ---- */

typedef Err (*StatementFn)(Parser *p, Node **out);
static Err parse_statement(Parser *p, Node **out);

/* Does "{% word" stand here, with word one of the n? */
static bool at_word(const Parser *p, const char *const *words, size_t n) {
    if (now(p)->kind != LEX_BLOCK || now(p)[1].kind != LEX_NAME) return false;
    for (size_t i = 0; i < n; i++)
        if (str_is(now(p)[1].text, words[i])) return true;
    return false;
}

/* Statements up to "{% word" of one of the ends, which is left; n 0: up to the template's end. */
static Err parse_body(Parser *p, const char *const *ends, size_t n, Node **out) {
    uint32_t line = now(p)->line;
    TRY(parse_enter(p));
    for (Node **end = out; !at_word(p, ends, n); end = &(*end)->next) {
        if (now(p)->kind == LEX_END && n == 0) break;
        if (now(p)->kind == LEX_END)
            return template_error(ERR_CORRUPT, p->name, line, "a block is not closed, '%s' is missing", ends[n - 1]);
        TRY(parse_statement(p, end));
    }
    parse_leave(p);
    return ERR_OK;
}

/* "%} body {% end %}" */
static Err parse_block(Parser *p, const char *end, Node **body) {
    TRY(expect_end(p, LEX_BLOCK_END));
    TRY(parse_body(p, &end, 1, body));
    p->at += 2;
    return expect_end(p, LEX_BLOCK_END);
}

/* ---- statements, their word taken ---- */

static Err parse_if(Parser *p, Node **out) {
    static const char *const ends[] = {"elif", "else", "endif"};
    for (;;) { /* once for each elif */
        TRY(parse_node(p, NODE_IF, out));
        TRY(parse_or(p, &(*out)->a));
        TRY(expect_end(p, LEX_BLOCK_END));
        TRY(parse_body(p, ends, 3, &(*out)->b));
        p->at++;
        out = &(*out)->c;
        if (!parse_skip_name(p, "elif")) break;
    }
    if (parse_skip_name(p, "else")) {
        TRY(expect_end(p, LEX_BLOCK_END));
        TRY(parse_body(p, ends + 2, 1, out));
        p->at++;
    }
    p->at++;
    return expect_end(p, LEX_BLOCK_END);
}

static Err parse_for(Parser *p, Node **out) {
    static const char *const ends[] = {"else", "endfor"};
    TRY(parse_node(p, NODE_FOR, out));
    Node *node = *out;
    TRY(parse_target(p, false, &node->a));
    if (!parse_skip_name(p, "in")) return parse_fail(p, "'in'");
    TRY(parse_or(p, &node->b));
    if (parse_skip_name(p, "if")) TRY(parse_expr(p, &node->c));
    if (parse_is_name(p, "recursive"))
        return template_error(ERR_UNSUPPORTED, p->name, node->line, "recursive loops are not supported");
    TRY(expect_end(p, LEX_BLOCK_END));
    p->loops++;
    TRY(parse_body(p, ends, 2, &node->d));
    p->loops--;
    p->at++;
    if (parse_skip_name(p, "else")) {
        TRY(expect_end(p, LEX_BLOCK_END));
        TRY(parse_body(p, ends + 1, 1, &node->e));
        p->at++;
    }
    p->at++;
    return expect_end(p, LEX_BLOCK_END);
}

static Err parse_set(Parser *p, Node **out) {
    TRY(parse_node(p, NODE_SET, out));
    Node *node = *out;
    TRY(parse_target(p, true, &node->a));
    if (parse_skip_op(p, "=")) {
        TRY(parse_exprs(p, &node->b));
        return expect_end(p, LEX_BLOCK_END);
    }
    node->kind = NODE_SET_BLOCK;
    if (parse_is_op(p, "|")) {
        TRY(parse_node(p, NODE_CAPTURED, &node->c));
        TRY(parse_filters(p, &node->c));
    }
    return parse_block(p, "endset", &node->b);
}

/* (a, b=1), up to the bracket behind */
static Err parse_params(Parser *p, Node **out) {
    bool defaults = false;
    TRY(parse_expect_op(p, "("));
    for (Node **end = out; !parse_skip_op(p, ")"); end = &(*end)->next) {
        if (*out) TRY(parse_expect_op(p, ","));
        TRY(parse_node(p, NODE_PARAM, end));
        TRY(parse_expect_name(p, &(*end)->str));
        if (parse_skip_op(p, "="))
            TRY(parse_expr(p, &(*end)->a));
        else if (defaults)
            return parse_fail(p, "a default");
        defaults = (*end)->a != NULL;
    }
    return ERR_OK;
}

/* Loops end at a macro's border: no break out of it. */
static Err parse_macro_body(Parser *p, const char *end, Node **out) {
    unsigned loops = p->loops;
    p->loops = 0;
    TRY(parse_block(p, end, out));
    p->loops = loops;
    return ERR_OK;
}

static Err parse_macro(Parser *p, Node **out) {
    TRY(parse_node(p, NODE_MACRO, out));
    TRY(parse_expect_name(p, &(*out)->str));
    TRY(parse_params(p, &(*out)->a));
    return parse_macro_body(p, "endmacro", &(*out)->b);
}

static Err parse_call_block(Parser *p, Node **out) {
    TRY(parse_node(p, NODE_CALL_BLOCK, out));
    if (parse_is_op(p, "(")) TRY(parse_params(p, &(*out)->a));
    TRY(parse_expr(p, &(*out)->c));
    if ((*out)->c->kind != NODE_CALL) return parse_fail(p, "a call");
    return parse_macro_body(p, "endcall", &(*out)->b);
}

static Err parse_filter_block(Parser *p, Node **out) {
    TRY(parse_node(p, NODE_FILTER_BLOCK, out));
    TRY(parse_node(p, NODE_CAPTURED, &(*out)->c));
    Node *filter = NULL;
    TRY(parse_node(p, NODE_FILTER, &filter));
    filter->a = (*out)->c;
    (*out)->c = filter;
    TRY(parse_expect_name(p, &filter->str));
    if (parse_is_op(p, "(")) TRY(parse_call_args(p, &filter->b));
    TRY(parse_filters(p, &(*out)->c));
    return parse_block(p, "endfilter", &(*out)->b);
}

static Err parse_generation(Parser *p, Node **out) {
    TRY(parse_node(p, NODE_GENERATION, out));
    return parse_block(p, "endgeneration", &(*out)->b);
}

static Err parse_with(Parser *p, Node **out) {
    TRY(parse_node(p, NODE_WITH, out));
    for (Node **end = &(*out)->a; now(p)->kind != LEX_BLOCK_END; end = &(*end)->next) {
        if ((*out)->a) TRY(parse_expect_op(p, ","));
        TRY(parse_node(p, NODE_SET, end));
        TRY(parse_target(p, false, &(*end)->a));
        TRY(parse_expect_op(p, "="));
        TRY(parse_expr(p, &(*end)->b));
    }
    return parse_block(p, "endwith", &(*out)->b);
}

static Err parse_jump(Parser *p, Node **out) {
    bool stop = str_is(p->tokens[p->at - 1].text, "break");
    if (p->loops == 0) return template_error(ERR_CORRUPT, p->name, now(p)->line, "a jump stands outside of loops");
    TRY(parse_node(p, stop ? NODE_BREAK : NODE_CONTINUE, out));
    return expect_end(p, LEX_BLOCK_END);
}

static Err parse_tag(Parser *p, Node **out) {
    static const struct {
        const char *word;
        StatementFn parse;
    } statements[] = {{"if", parse_if},
                      {"for", parse_for},
                      {"set", parse_set},
                      {"macro", parse_macro},
                      {"call", parse_call_block},
                      {"filter", parse_filter_block},
                      {"generation", parse_generation},
                      {"with", parse_with},
                      {"break", parse_jump},
                      {"continue", parse_jump}};
    static const char *const known[] = {"extends",    "block", "include", "import", "from",
                                        "autoescape", "do",    "print",   "trans"};
    Str word = {NULL, 0};
    TRY(parse_expect_name(p, &word));
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (str_is(word, statements[i].word)) return statements[i].parse(p, out);
    uint32_t line = p->tokens[p->at - 1].line;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(word, known[i]))
            return template_error(ERR_UNSUPPORTED, p->name, line, "'%s' is not supported", known[i]);
    return template_error(ERR_CORRUPT, p->name, line, "unknown statement '%.*s'", STR_FMT(word));
}

static Err parse_statement(Parser *p, Node **out) {
    switch (now(p)->kind) {
    case LEX_DATA:
        TRY(parse_node(p, NODE_DATA, out));
        (*out)->str = p->tokens[p->at++].text;
        return ERR_OK;
    case LEX_OUTPUT:
        p->at++;
        TRY(parse_node(p, NODE_OUTPUT, out));
        TRY(parse_exprs(p, &(*out)->a));
        return expect_end(p, LEX_OUTPUT_END);
    default: /* LEX_BLOCK: nothing else stands outside of tags */
        p->at++;
        return parse_tag(p, out);
    }
}

Err parse_template(Arena *a, const LexToken *tokens, const char *name, Node **out) {
    Parser p = {.arena = a, .name = name, .tokens = tokens};
    *out = NULL;
    return parse_body(&p, NULL, 0, out);
}

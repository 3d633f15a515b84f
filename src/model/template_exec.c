/* template_exec.c - statements of a chat template, run.
 *
 * Scopes are Jinja's: a loop's pass and a macro's call have their own, so that what is set there is gone afterwards
 * (which is why templates keep state in namespaces); `if` has none. A jump runs to its loop as r->flow.
 */
#include "model/template_run.h"

Err run_scope(Render *r, Scope *up, Scope **out) {
    *out = arena_new(r->arena, Scope);
    if (!*out) return arena_error();
    (*out)->up = up;
    return ERR_OK;
}

Err run_set(Render *r, Scope *scope, Str name, Val value) {
    TRY(run_spend(r, scope->vars.n / 8 + 1));
    return val_dict_put(r->arena, &scope->vars, val_str(name), value);
}

/* ns.name = value */
static Err assign_field(Render *r, const Node *target, Val value) {
    Node name = {.kind = NODE_NAME, .line = target->line, .str = target->value.str};
    Val space;
    TRY(run_eval(r, &name, &space));
    if (!val_is(space, VAL_NAMESPACE))
        return run_fail(r, ERR_INPUT, "'%.*s' is no namespace, '%.*s' of it cannot be set", STR_FMT(name.str),
                        STR_FMT(target->str));
    TRY(run_spend(r, space.dict->n / 8 + 1));
    return val_dict_put(r->arena, space.dict, val_str(target->str), value);
}

Err run_assign(Render *r, const Node *target, Val value) {
    r->line = target->line;
    if (target->kind == NODE_FIELD) return assign_field(r, target, value);
    if (target->kind == NODE_NAME) return run_set(r, r->scope, target->str, value);
    Val *items = NULL;
    size_t n = 0, at = 0;
    TRY(run_items(r, value, &items, &n));
    for (const Node *t = target->a; t; t = t->next, at++)
        if (at < n) TRY(run_assign(r, t, items[at]));
    if (at == n) return ERR_OK;
    return run_fail(r, ERR_INPUT, "%zu values cannot fill %zu names", n, at);
}

Err run_captured(Render *r, const Node *body, Val *out) {
    Buf text = {0}, *around = r->out;
    r->out = &text;
    Err err = run_body(r, body);
    r->out = around;
    if (!err) return run_take(r, &text, out);
    buf_free(&text);
    return err;
}

/* ---- loops ---- */

/* The items for which the loop's condition holds. */
static Err loop_filter(Render *r, const Node *n, Val **items, size_t *count) {
    Val *kept = arena_array(r->arena, Val, *count);
    size_t n_kept = 0;
    Scope *around = r->scope;
    if (!kept) return arena_error();
    TRY(run_scope(r, around, &r->scope));
    for (size_t i = 0; i < *count; i++) {
        Val holds;
        TRY(run_assign(r, n->a, (*items)[i]));
        TRY(run_eval(r, n->c, &holds));
        if (val_truth(holds)) kept[n_kept++] = (*items)[i];
    }
    r->scope = around;
    *items = kept;
    *count = n_kept;
    return ERR_OK;
}

static Err run_for(Render *r, const Node *n) {
    Val over, *items = NULL;
    size_t count = 0;
    TRY(run_eval(r, n->b, &over));
    TRY(run_items(r, over, &items, &count));
    if (n->c) TRY(loop_filter(r, n, &items, &count));
    if (count == 0) return run_body(r, n->e);
    ValLoop *loop = arena_new(r->arena, ValLoop);
    if (!loop) return arena_error();
    *loop = (ValLoop){.items = items, .n = count};
    Scope *around = r->scope;
    for (; loop->at < count; loop->at++) {
        TRY(run_scope(r, around, &r->scope)); /* a new one each pass: a macro made in the last may still be called */
        TRY(run_set(r, r->scope, STR("loop"), (Val){.kind = VAL_LOOP, .loop = loop}));
        TRY(run_assign(r, n->a, items[loop->at]));
        TRY(run_body(r, n->d));
        Flow flow = r->flow;
        r->flow = FLOW_ON;
        if (flow == FLOW_BREAK) break;
    }
    r->scope = around;
    return ERR_OK;
}

/* ---- others ---- */

static Err run_if(Render *r, const Node *n) {
    for (; n && n->kind == NODE_IF; n = n->c) {
        Val test;
        r->line = n->line;
        TRY(run_eval(r, n->a, &test));
        if (val_truth(test)) return run_body(r, n->b);
        /* an elif is the only statement of its else; an if that merely begins one has others behind it, or is the
         * same */
        if (n->c && n->c->next) return run_body(r, n->c);
    }
    return run_body(r, n);
}

static Err make_macro(Render *r, const Node *n, ValMacro **out) {
    *out = arena_new(r->arena, ValMacro);
    if (!*out) return arena_error();
    **out = (ValMacro){n->a, n->b, r->scope, n->str};
    return ERR_OK;
}

static Err run_macro(Render *r, const Node *n) {
    ValMacro *macro = NULL;
    TRY(make_macro(r, n, &macro));
    return run_set(r, r->scope, n->str, (Val){.kind = VAL_MACRO, .macro = macro});
}

/* {% call(x) f(y) %}body{% endcall %}: f(y) runs with caller() being the body. */
static Err run_call_block(Render *r, const Node *n) {
    ValMacro *caller = NULL;
    Val callee, result;
    Args args;
    Str text;
    TRY(make_macro(r, n, &caller));
    caller->name = STR("caller");
    TRY(run_eval(r, n->c->a, &callee));
    TRY(run_args(r, n->c->b, &args));
    r->caller = caller;
    TRY(run_call(r, callee, &args, &result));
    r->caller = NULL;
    TRY(run_str(r, result, &text));
    return run_write(r, text);
}

static Err run_captured_filters(Render *r, const Node *n, Val *out) {
    TRY(run_captured(r, n->b, out));
    if (!n->c) return ERR_OK;
    Val around = r->captured;
    r->captured = *out;
    TRY(run_eval(r, n->c, out));
    r->captured = around;
    return ERR_OK;
}

static Err run_with(Render *r, const Node *n) {
    Scope *around = r->scope, *inner = NULL;
    TRY(run_scope(r, around, &inner));
    for (const Node *set = n->a; set; set = set->next) { /* values are of the scope around */
        Val value;
        TRY(run_eval(r, set->b, &value));
        r->scope = inner;
        TRY(run_assign(r, set->a, value));
        r->scope = around;
    }
    r->scope = inner;
    TRY(run_body(r, n->b));
    r->scope = around;
    return ERR_OK;
}

static Err run_output(Render *r, const Node *n) {
    Val value;
    Str text;
    TRY(run_eval(r, n->a, &value));
    TRY(run_str(r, value, &text));
    return run_write(r, text);
}

static Err run_statement(Render *r, const Node *n) {
    Val value;
    Str text;
    switch (n->kind) {
    case NODE_DATA:
        return run_write(r, n->str);
    case NODE_OUTPUT:
        return run_output(r, n);
    case NODE_IF:
        return run_if(r, n);
    case NODE_FOR:
        return run_for(r, n);
    case NODE_SET:
        TRY(run_eval(r, n->b, &value));
        return run_assign(r, n->a, value);
    case NODE_SET_BLOCK:
        TRY(run_captured_filters(r, n, &value));
        return run_assign(r, n->a, value);
    case NODE_MACRO:
        return run_macro(r, n);
    case NODE_CALL_BLOCK:
        return run_call_block(r, n);
    case NODE_FILTER_BLOCK:
        TRY(run_captured_filters(r, n, &value));
        TRY(run_str(r, value, &text));
        return run_write(r, text);
    case NODE_GENERATION:
        return run_body(r, n->b);
    case NODE_WITH:
        return run_with(r, n);
    case NODE_BREAK:
        r->flow = FLOW_BREAK;
        return ERR_OK;
    default: /* NODE_CONTINUE */
        r->flow = FLOW_CONTINUE;
        return ERR_OK;
    }
}

Err run_body(Render *r, const Node *body) {
    TRY(run_enter(r));
    for (const Node *n = body; n && r->flow == FLOW_ON; n = n->next) {
        r->line = n->line;
        TRY(run_spend(r, 1));
        TRY(run_statement(r, n));
    }
    r->depth--;
    return ERR_OK;
}

/* template.c - opening and rendering a chat template, and the bounds of a run. */
#include "model/template.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "model/template_run.h"

struct Template {
    Arena arena; /* source, tokens, nodes */
    const char *name;
    Node *body;
};

/* Python's text mode: one kind of line end, none behind the last line. */
static Err source_read(Arena *a, Str source, Str *out) {
    Buf text = {0};
    utf8_repair(&text, source);
    Err err = buf_ok(&text);
    char *copy = err ? NULL : arena_alloc(a, text.n);
    size_t n = 0;
    if (!err && !copy) err = arena_error();
    for (size_t i = 0; !err && i < text.n; i++) {
        bool pair = text.p[i] == '\r' && i + 1 < text.n && text.p[i + 1] == '\n';
        if (!pair) copy[n++] = text.p[i] == '\r' ? '\n' : text.p[i];
    }
    buf_free(&text);
    if (err) return err;
    if (n && copy[n - 1] == '\n') n--;
    *out = str_make(copy, n);
    return ERR_OK;
}

Err template_open(Template **out, Str source, const char *name) {
    *out = NULL;
    if (source.n > TEMPLATE_SOURCE_MAX)
        return err_set(ERR_LIMIT, "chat template of '%s' has %zu bytes; the limit is %d", name, source.n,
                       TEMPLATE_SOURCE_MAX);
    Template *t = calloc(1, sizeof *t);
    if (!t) return err_set(ERR_NOMEM, "out of memory for the chat template of '%s'", name);
    LexToken *tokens = NULL;
    size_t n = 0;
    Err err = ERR_OK;
    t->name = arena_cstr(&t->arena, str_of(name));
    if (!t->name) err = arena_error();
    if (!err) err = source_read(&t->arena, source, &source);
    if (!err) err = lex_template(&t->arena, source, t->name, &tokens, &n);
    if (!err) err = parse_template(&t->arena, tokens, t->name, &t->body);
    if (err)
        template_close(t);
    else
        *out = t;
    return err;
}

void template_close(Template *t) {
    if (!t) return;
    arena_free(&t->arena);
    free(t);
}

Err run_fail(const Render *r, Err code, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return template_error(code, r->name, r->line, "%s", text);
}

Err run_spend(Render *r, size_t steps) {
    if (steps <= TEMPLATE_STEPS_MAX - r->steps) {
        r->steps += steps;
        return ERR_OK;
    }
    return run_fail(r, ERR_LIMIT, "more than %d steps", TEMPLATE_STEPS_MAX);
}

Err run_enter(Render *r) {
    if (r->depth < TEMPLATE_DEPTH_MAX * 2) {
        r->depth++;
        return run_spend(r, 1);
    }
    return run_fail(r, ERR_LIMIT, "more than %d levels within each other", TEMPLATE_DEPTH_MAX * 2);
}

Err run_write(Render *r, Str text) {
    if (text.n > TEMPLATE_OUTPUT_MAX || r->out->n > TEMPLATE_OUTPUT_MAX - text.n)
        return run_fail(r, ERR_LIMIT, "more than %d bytes of text", TEMPLATE_OUTPUT_MAX);
    buf_add(r->out, text);
    TRY(buf_ok(r->out));
    return run_spend(r, text.n / 16);
}

Err run_take(Render *r, Buf *b, Val *out) {
    Err err = buf_ok(b);
    if (!err) err = run_spend(r, b->n / 16 + 1);
    Str text = {NULL, 0};
    if (!err) {
        text = arena_str(r->arena, buf_str(b));
        if (!text.p) err = arena_error();
    }
    buf_free(b);
    *out = val_str(text);
    return err;
}

Err template_render(const Template *t, const json_t *globals, int64_t now_ms, Buf *out) {
    Arena arena = {.limit = TEMPLATE_MEMORY_MAX};
    Buf text = {0};
    Render r = {.arena = &arena, .name = t->name, .now_ms = now_ms, .out = &text};
    Val vars;
    Err err = run_scope(&r, NULL, &r.scope);
    if (!err) err = val_from_json(&arena, globals, 0, &vars);
    for (size_t i = 0; !err && vars.kind == VAL_DICT && i < vars.dict->n; i++)
        err = run_set(&r, r.scope, vars.dict->pairs[i].key.str, vars.dict->pairs[i].value);
    if (!err) err = run_body(&r, t->body);
    buf_add(out, buf_str(&text));
    if (!err) err = buf_ok(out);
    buf_free(&text);
    arena_free(&arena);
    return err;
}

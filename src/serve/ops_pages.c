/* ops_pages.c - replies that are no JSON envelope: metrics, the OpenAPI document, and the table to read. */
#include "serve/desk.h"

static Err metrics_now(Call *c, MetricsNow *now) {
    PythiaCollection *list = NULL;
    size_t n = 0;
    *now = (MetricsNow){.waiting = (int64_t)desk_waiting(c->desk, false),
                        .ingest_waiting = (int64_t)desk_waiting(c->desk, true),
                        .model_loaded = desk_model(c->desk, NULL, NULL, NULL) == MODEL_READY,
                        .uptime_s = (double)desk_seconds(c->desk)};
    pythia_work(c->engine, &now->work);
    pythia_memory(c->engine, &now->memory);
    TRY(pythia_collections(c->engine, c->arena, &list, &n));
    for (size_t i = 0; i < n; i++) {
        now->documents += list[i].documents;
        now->skipped += list[i].skipped;
        now->failed += list[i].failed;
        now->chunks += list[i].chunks;
        now->vector_bytes += list[i].index_bytes;
        now->word_bytes += list[i].lexical_bytes;
    }
    return ERR_OK;
}

Err op_metrics(Call *c, JsonOut *j) {
    MetricsNow now;
    (void)j;
    TRY(metrics_now(c, &now));
    if (str_is(field_str(c->params, "format", ""), "json")) {
        metrics_json(desk_metrics(c->desk), &now, &c->body);
        return ERR_OK;
    }
    c->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_prometheus(desk_metrics(c->desk), &now, &c->body);
    return ERR_OK;
}

Err op_openapi(Call *c, JsonOut *j) {
    (void)j;
    openapi_write(&c->body);
    return ERR_OK;
}

/* ---- to read ---- */

static void html(Buf *b, const char *text) {
    for (; text && *text; text++) {
        if (*text == '<')
            buf_add_z(b, "&lt;");
        else if (*text == '&')
            buf_add_z(b, "&amp;");
        else
            buf_char(b, *text);
    }
}

static void fields_html(Buf *b, const Field *fields, const char *before) {
    for (const Field *f = fields; f->name; f++) {
        if (f->flags & FIELD_IGNORED) continue;
        buf_printf(b, "<tr><td><code>%s%s</code>%s</td><td>", before, f->name, f->flags & FIELD_REQUIRED ? " *" : "");
        html(b, f->help);
        if (f->values) {
            buf_add_z(b, " (");
            html(b, f->values);
            buf_char(b, ')');
        }
        if (f->standard) buf_printf(b, "; default <code>%s</code>", f->standard);
        buf_add_z(b, "</td></tr>");
        if (f->members) fields_html(b, f->members, f->types & FIELD_OBJECTS ? "&nbsp; …[]." : "&nbsp; …");
    }
}

/* One page without scripts, from the same rows as everything else. */
Err op_docs(Call *c, JsonOut *j) {
    Buf *b = &c->body;
    (void)j;
    c->policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    buf_add_z(
        b, "<!doctype html><html lang=en><meta charset=utf-8><title>Pythia</title>"
           "<meta name=viewport content='width=device-width'><style>"
           "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
           "table{border-collapse:collapse;width:100%}td{border-top:1px solid #ccc;padding:.25rem;vertical-align:top}"
           "td:first-child{width:16rem}h2{margin-bottom:0}code{background:#8882;padding:0 .2rem}</style>"
           "<h1>Pythia " PYTHIA_VERSION
           "</h1><p>For people: <a href=/>the page</a>. For programs: <a href=/openapi.json>/openapi.json</a>, "
           "<a href=/metrics>/metrics</a>, <code>/mcp</code>. A * stands behind what is required.");
    for (const Op *op = ops; op->name; op++) {
        if (!op->path || op->flags & OP_RAW) continue;
        buf_printf(b, "<h2><code>%s %s</code></h2><p>", op->method, op->path);
        html(b, op->summary);
        if (op->role > ROLE_NONE) buf_printf(b, " Role: %s.", role_name(op->role));
        buf_add_z(b, "<table>");
        fields_html(b, op->fields, "");
        buf_add_z(b, "</table>");
    }
    return ERR_OK;
}

/* http_request.c - from a request's target and body to a call, and from the call's answer to a response. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/utf8.h"
#include "serve/http_impl.h"

/* ---- the target ---- */

bool url_decode(Str s, bool plus, Buf *out) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3) return false;
            int high = hex_value(s.p[i + 1]), low = hex_value(s.p[i + 2]);
            if (high < 0 || low < 0 || high + low == 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        buf_char(out, c);
    }
    return true;
}

static bool target_bad(Request *r) {
    request_refuse(r, 400, "bad_request", "the URL is not well-formed", NULL);
    return false;
}

/* "?a=1&b=2" into params. */
static bool query_take(Request *r, Str query) {
    Str one;
    while (str_cut(&query, '&', &one)) {
        if (!one.n) continue;
        Buf name = {0}, value = {0};
        ptrdiff_t eq = str_find_char(one, '=');
        bool good = url_decode(eq < 0 ? one : str_upto(one, (size_t)eq), true, &name) &&
                    url_decode(eq < 0 ? str_from(one, one.n) : str_from(one, (size_t)eq + 1), true, &value);
        Err err = ERR_OK;
        if (good) err = fields_set(r->op->fields, r->call.params, buf_str(&name), buf_str(&value));
        buf_free(&name);
        buf_free(&value);
        if (!good) return target_bad(r);
        if (err) return call_fail(&r->call, err), false;
    }
    return true;
}

static bool target_route(Request *r, Str *query) {
    Str target = str_of(r->target), method = str_of(r->method);
    ptrdiff_t mark = str_find_char(target, '?');
    Str path = mark < 0 ? target : str_upto(target, (size_t)mark);
    Buf allow = {0};
    *query = mark < 0 ? str_from(target, target.n) : str_from(target, (size_t)mark + 1);
    if (path.n == 0 || path.p[0] != '/' || !url_decode(path, false, &r->path_buf)) return target_bad(r);
    r->path = buf_str(&r->path_buf);
    if (str_is(method, "HEAD")) method = STR("GET");
    Err err = op_route(method, r->path, r->call.params, &r->op, &allow);
    (void)snprintf(r->allow, sizeof r->allow, "%s", allow.p ? allow.p : "");
    bool known = allow.n > 0;
    buf_free(&allow);
    r->call.op = r->op;
    if (err) return call_fail(&r->call, err), false;
    if (r->op) return true;
    if (known && str_is(method, "OPTIONS")) {
        r->call.status = 204;
    } else if (known) {
        request_refuse(r, 405, "method_not_allowed", "this path has other methods; see the header Allow", NULL);
    } else {
        request_refuse(r, 404, "not_found", "there is no such path; see /openapi.json", NULL);
    }
    return false;
}

/* ---- the body ---- */

bool request_is_json(const Request *r) {
    Str type = request_header(r, "Content-Type");
    ptrdiff_t end = str_find_char(type, ';');
    return str_eq_nocase(str_trim(end < 0 ? type : str_upto(type, (size_t)end)), STR("application/json"));
}

static bool body_take(Request *r) {
    json_t *v = NULL;
    bool wanted = strcmp(r->op->method, "POST") == 0 || strcmp(r->op->method, "PATCH") == 0;
    if (r->upload) return upload_end(r);
    if (r->too_large) return request_too_large(r);
    if (!wanted || r->body.n == 0) return true;
    if (!request_is_json(r)) {
        request_refuse(r, 415, "unsupported_media_type", "the body must be application/json", NULL);
        return false;
    }
    Err err = buf_ok(&r->body);
    if (!err) err = json_read(buf_str(&r->body), "body", &v);
    if (!err && !json_is_object(v)) err = err_set(ERR_USAGE, "the request must be a JSON object");
    /* What stands in the path wins over nothing: the same name in the body is one too many. */
    const char *key;
    json_t *value;
    if (!err) json_object_foreach(r->call.params, key, value) {
            if (json_object_get(v, key)) err = err_set(ERR_USAGE, "'%s' stands in the path already", key);
            if (!err && json_object_set(v, key, value)) err = err_set(ERR_NOMEM, "out of memory for a request");
            if (err) break;
        }
    if (err) {
        json_decref(v);
        return call_fail(&r->call, err), false;
    }
    json_decref(r->call.params);
    r->call.params = v;
    return true;
}

/* ---- handing in ---- */

static void request_done(Call *c) {
    Request *r = c->ctx;
    if (request_stream_end(r)) return;
    r->state = REQUEST_ANSWERED;
    r->door->mhd->resume_connection(r->connection);
}

static void request_done_now(Call *c) {
    Request *r = c->ctx;
    r->state = REQUEST_ANSWERED;
}

static bool model_ready(Request *r) {
    if (!(r->op->flags & OP_MODEL)) return true;
    if (desk_model(r->door->opts.desk, NULL, NULL, NULL) != MODEL_LOADING) return true;
    const Str mode = field_str(r->call.params, "mode", "");
    if (str_is(mode, "lexical") || str_is(mode, "symbol")) return true; /* words and names need none */
    request_refuse(r, 503, "loading", "the embedding model is being loaded", NULL);
    return false;
}

bool request_dispatch(Request *r) {
    Str query;
    r->state = REQUEST_ANSWERED;
    if (!r->call.params) r->call.params = json_object();
    r->call.ctx = r;
    r->call.from.door = "http";
    memcpy(r->call.from.who, r->who, sizeof r->who);
    if (!r->call.params) {
        call_fail(&r->call, err_set(ERR_NOMEM, "out of memory for a request"));
        return true;
    }
    if (str_is(str_of(r->target), "/mcp") || str_starts(str_of(r->target), STR("/mcp?"))) {
        r->route = "/mcp";
        return request_mcp(r);
    }
    if (!target_route(r, &query) || !request_may(r, r->op->role)) return true;
    if (!query_take(r, query) || !body_take(r) || !model_ready(r)) return true;
    bool now = r->op->flags & OP_NOW;
    r->call.done = now ? request_done_now : request_done;
    if (!now) {
        /* Suspended first: the worker may be done before desk_submit returns, and r is its own from there. */
        r->state = REQUEST_WAITING;
        r->call.stream = request_stream;
        r->door->mhd->suspend_connection(r->connection);
    }
    Err err = desk_submit(r->door->opts.desk, &r->call);
    if (!err) return now;
    call_fail(&r->call, err);
    r->call.done(&r->call);
    return now;
}

/* ---- the answer ---- */

void request_log(Request *r) {
    if (r->door->quiet) return;
    Buf line = {0};
    char when[32];
    clock_iso(clock_wall_ms(), when);
    JsonOut j = jout_to(&line);
    jout_begin(&j, '{');
    jout_kv_z(&j, "time", when);
    jout_kv_z(&j, "level", r->call.status >= 500 ? "error" : "info");
    jout_kv_z(&j, "room", "serve");
    jout_kv_z(&j, "request_id", r->id);
    jout_kv_z(&j, "method", r->method);
    jout_kv_z(&j, "route", r->op ? r->op->path : r->route ? r->route : "-"); /* never the query */
    jout_kv_i64(&j, "status", r->call.status);
    jout_kv_f64(&j, "ms", (double)(int64_t)(clock_ms_since(r->start_ns) * 1000) / 1000);
    jout_kv_i64(&j, "bytes_in", (int64_t)r->bytes_in);
    jout_kv_i64(&j, "bytes_out", (int64_t)r->call.body.n);
    jout_kv_z(&j, "who", r->who);
    if (r->call.err) jout_kv_z(&j, "error", err_name(r->call.err));
    jout_end(&j, '}');
    buf_char(&line, '\n');
    ssize_t n =
        write(STDERR_FILENO, line.p ? line.p : "", line.n); /* one write a line; nobody is left to hear of failure */
    (void)n;
    buf_free(&line);
}

static void header_add(Request *r, struct MHD_Response *response, const char *name, const char *value) {
    (void)r->door->mhd->add_response_header(response, name, value);
}

void request_headers(Request *r, struct MHD_Response *response, int status) {
    char seconds[16];
    if (!r->retry_after && status == 503) r->retry_after = 1;
    header_add(r, response, "X-Request-Id", r->id);
    header_add(r, response, "X-Content-Type-Options", "nosniff");
    header_add(r, response, "Cache-Control", "no-store");
    if (r->session[0]) header_add(r, response, "Mcp-Session-Id", r->session);
    if (r->close) header_add(r, response, "Connection", "close");
    if (r->stream || r->call.body.n) /* in this order: a stream's call is its worker's still */
        header_add(r, response, "Content-Type", r->content_type ? r->content_type : "application/json; charset=utf-8");
    if (r->call.policy) {
        header_add(r, response, "Content-Security-Policy", r->call.policy);
        header_add(r, response, "Referrer-Policy", "no-referrer");
    }
    if (status == 401) header_add(r, response, "WWW-Authenticate", "Bearer realm=\"pythia\"");
    if ((status == 405 || status == 204) && r->allow[0]) header_add(r, response, "Allow", r->allow);
    if (r->retry_after) {
        (void)snprintf(seconds, sizeof seconds, "%d", r->retry_after);
        header_add(r, response, "Retry-After", seconds);
    }
    if (r->cors) {
        header_add(r, response, "Access-Control-Allow-Origin", r->origin);
        header_add(r, response, "Vary", "Origin");
        header_add(r, response, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Mcp-Session-Id");
    }
    if (r->cors && status == 204) {
        header_add(r, response, "Access-Control-Allow-Methods", r->allow);
        header_add(
            r, response, "Access-Control-Allow-Headers",
            "Authorization, Content-Type, X-Request-Id, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name");
    }
}

enum MHD_Result request_answer(Request *r) {
    const Mhd *mhd = r->door->mhd;
    Call *c = &r->call;
    if (c->err == ERR_OK && c->content_type) r->content_type = c->content_type;
    if (c->err == ERR_OK && c->op && c->op->content_type) r->content_type = c->op->content_type;
    if (!c->op || c->queued_ns == 0 || c->status == 401 || c->status == 403 || c->status == 429)
        metrics_call(desk_metrics(r->door->opts.desk), r->op ? (size_t)(r->op - ops) : SIZE_MAX, c->status, c->err,
                     clock_ms_since(r->start_ns) / 1000);
    struct MHD_Response *response =
        mhd->create_response_from_buffer(c->body.n, c->body.p ? c->body.p : (void *)(uintptr_t) "",
                                         c->body.p ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    request_headers(r, response, c->status);
    request_log(r);
    c->body = (Buf){0}; /* the response's now */
    enum MHD_Result queued = mhd->queue_response(r->connection, (unsigned)c->status, response);
    mhd->destroy_response(response);
    return queued;
}

void request_free(Request *r) {
    if (!r) return;
    upload_free(r);
    stream_free(r);
    call_clear(&r->call);
    buf_free(&r->body);
    buf_free(&r->path_buf);
    free(r->target);
    free(r);
}

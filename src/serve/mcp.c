/* mcp.c - messages of the Model Context Protocol: which method, which era, its call and its answer; see mcp.h. */
#include <stdlib.h>

#include "base/base64.h"
#include "serve/mcp_impl.h"
#include "serve/reply.h"

enum { RPC_NO_RESOURCE = -32002, RPC_HEADERS_DIFFER = -32020, RPC_VERSION = -32022 };

#define META "io.modelcontextprotocol/"

/* ---- methods ---- */

/* OP_LOOSE: parameters are looked at by the method itself. Those that need no engine answer at once (OP_NOW), also
 * while all workers are busy. */
#define METHOD(method_name, what, engine, body)                                                                        \
    {                                                                                                                  \
        .flags = (what), .op = {                                                                                       \
            .name = (method_name),                                                                                     \
            .role = ROLE_READ,                                                                                         \
            .flags = OP_PLAIN | OP_LOOSE | ((engine) ? 0 : OP_NOW),                                                    \
            .run = (body)                                                                                              \
        }                                                                                                              \
    }

enum { BOTH = METHOD_LEGACY | METHOD_MODERN };
static const Method methods[] = {
    METHOD("initialize", METHOD_LEGACY, true, mcp_initialize),
    METHOD("server/discover", METHOD_MODERN | METHOD_CACHED, true, mcp_discover),
    METHOD("ping", METHOD_LEGACY, false, mcp_ping),
    METHOD("logging/setLevel", METHOD_LEGACY, false, mcp_set_level),
    METHOD("tools/list", BOTH | METHOD_CACHED, false, mcp_tools_list),
    METHOD("tools/call", BOTH | METHOD_TOOL, false, NULL),
    METHOD("resources/list", BOTH | METHOD_CACHED, false, mcp_resources_list),
    METHOD("resources/templates/list", BOTH | METHOD_CACHED, false, mcp_templates_list),
    METHOD("resources/read", BOTH | METHOD_CACHED, true, mcp_resource_read),
    METHOD("prompts/list", BOTH | METHOD_CACHED, false, mcp_prompts_list),
    METHOD("prompts/get", BOTH, false, mcp_prompt_get),
    METHOD("completion/complete", BOTH, true, mcp_complete),
};

static const Method *method_find(Str name, bool modern) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_is(name, methods[i].op.name) && methods[i].flags & (modern ? METHOD_MODERN : METHOD_LEGACY))
            return &methods[i];
    return NULL;
}

/* ---- the server ---- */

Err mcp_open(Mcp **out, Desk *desk) {
    *out = calloc(1, sizeof **out);
    if (!*out) return err_set(ERR_NOMEM, "out of memory for MCP");
    (*out)->desk = desk;
    (void)pthread_mutex_init(&(*out)->lock, NULL);
    return ERR_OK;
}

void mcp_close(Mcp *m) {
    if (!m) return;
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

/* ---- answers ---- */

static void answer_send(Peer *p, RpcBatch *batch, const Buf *answer) {
    if (batch)
        rpc_batch_add(batch, buf_str(answer));
    else if (answer->n)
        p->send(p, buf_str(answer));
}

static void error_send(Peer *p, RpcBatch *batch, const json_t *id, int code, const char *text) {
    Buf out = {0};
    rpc_error_write(&out, id, code, text, STR(""));
    answer_send(p, batch, &out);
    buf_free(&out);
}

/* What each result of the stateless era has besides. */
static void modern_members(JsonOut *j, const Method *m) {
    jout_kv_z(j, "resultType", "complete");
    if (m->flags & METHOD_CACHED) {
        jout_kv_i64(j, "ttlMs", 0);
        jout_kv_z(j, "cacheScope", "private");
    }
    jout_key(j, "_meta");
    jout_raw(j, STR("{\"" META "serverInfo\":{\"name\":\"pythia\",\"version\":\"" PYTHIA_VERSION "\"}}"));
}

/* The reply is an object already: what is to be added goes before its end. */
static void result_write(Buf *out, const McpCall *c) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    if (c->method->flags & METHOD_TOOL) {
        mcp_tool_result_write(&j, &c->call);
    } else {
        Str body = buf_str(&c->call.body);
        if (body.n > 2) jout_raw(&j, str_make(body.p + 1, body.n - 2));
    }
    if (c->modern) modern_members(&j, c->method);
    jout_end(&j, '}');
}

static int code_of(const McpCall *c) {
    Err err = c->call.err;
    if (err == ERR_NO_DOCUMENT || err == ERR_NO_COLLECTION)
        return !c->modern && str_is(str_of(c->method->op.name), "resources/read") ? RPC_NO_RESOURCE
                                                                                  : RPC_INVALID_PARAMS;
    if (err == ERR_USAGE || err == ERR_INPUT || err == ERR_LIMIT || err == ERR_UNSUPPORTED) return RPC_INVALID_PARAMS;
    return RPC_INTERNAL;
}

/* Which resource it was that is not there. */
static void missing_uri_write(Buf *data, const Call *call) {
    const Str uri = field_str(call->params, "uri", NULL);
    if (!uri.p || (call->err != ERR_NO_DOCUMENT && call->err != ERR_NO_COLLECTION)) return;
    JsonOut j = jout_to(data);
    jout_begin(&j, '{');
    jout_kv_str(&j, "uri", uri);
    jout_end(&j, '}');
}

static void mcp_done(Call *call) {
    McpCall *c = call->ctx;
    Buf out = {0}, result = {0};
    bool cancelled = under_way_remove(c);
    if (!cancelled && call->err && !(c->method->flags & METHOD_TOOL)) {
        Buf data = {0};
        missing_uri_write(&data, call);
        rpc_error_write(&out, c->id, code_of(c), call->error.text, buf_str(&data));
        buf_free(&data);
    } else if (!cancelled) {
        result_write(&result, c);
        rpc_result_write(&out, c->id, buf_str(&result));
    }
    answer_send(c->peer, c->batch, &out);
    buf_free(&result);
    buf_free(&out);
    call_clear(call);
    json_decref(c->id);
    json_decref(c->token);
    peer_drop(c->peer);
    free(c);
}

/* ---- requests ---- */

/* The tool and its arguments; NULL: refused, *why says why. */
static const Op *tool_find(const json_t *params, const char **why) {
    Str name = field_str(params, "name", NULL);
    const json_t *arguments = json_object_get(params, "arguments");
    const Op *op = name.p ? op_named(name) : NULL;
    *why = NULL;
    if (!op || !op->tool)
        *why = "unknown tool; tools/list names them";
    else if (arguments && !json_is_object(arguments))
        *why = "arguments must be an object";
    return *why ? NULL : op;
}

/* Only what is offered to agents: the same message as for any unknown field. */
static Err tool_check(const Op *op, const json_t *arguments) {
    const char *key;
    json_t *value;
    Field offered[24] = {{0}};
    size_t n = 0;
    for (const Field *f = op->fields; f->name && n < 23; f++)
        if (f->flags & FIELD_TOOL) offered[n++] = *f;
    json_object_foreach((json_t *)(uintptr_t)arguments, key, value) {
        bool known = false;
        for (size_t i = 0; i < n; i++) known |= strcmp(key, offered[i].name) == 0;
        if (known) continue;
        Buf names = {0};
        fields_names(&names, offered);
        Err err = err_set(ERR_USAGE, "unknown argument '%.100s'; valid: %s", key, names.p ? names.p : "");
        buf_free(&names);
        return err;
    }
    return ERR_OK;
}

/* No tool blocks for longer than clients wait: those that can end early are told when. */
static Err deadline_put(int64_t asked, const Op *op, json_t *arguments) {
    const Field *f = op->fields;
    while (f->name && strcmp(f->name, "deadline_ms") != 0) f++;
    if (!f->name || asked <= 0) return ERR_OK;
    const int64_t most = (int64_t)f->max;
    const int set = json_object_set_new(arguments, "deadline_ms", json_integer(asked < most ? asked : most));
    return set == 0 ? ERR_OK : err_set(ERR_NOMEM, "out of memory for a call");
}

static void request_start(Mcp *m, Peer *p, RpcBatch *batch, const json_t *v, const Method *method, bool modern) {
    json_t *params = json_object_get(v, "params"), *id = json_object_get(v, "id");
    const bool is_tool = method->flags & METHOD_TOOL;
    const char *why = NULL;
    const Op *op = is_tool ? tool_find(params, &why) : &method->op;
    if (!op) {
        error_send(p, batch, id, RPC_INVALID_PARAMS, why);
        return;
    }
    const json_t *arguments = is_tool ? json_object_get(params, "arguments") : params;
    McpCall *c = calloc(1, sizeof *c);
    json_t *own = arguments ? json_deep_copy(arguments) : json_object();
    if (!c || !own) {
        free(c);
        json_decref(own);
        error_send(p, batch, id, RPC_INTERNAL, "out of memory for a call");
        return;
    }
    *c = (McpCall){.mcp = m, .peer = p, .batch = batch, .id = json_incref(id), .method = method, .modern = modern};
    c->call = (Call){
        .op = op, .params = own, .role = p->role, .from = p->from, .done = mcp_done, .ctx = c, .impatient = true};
    const int64_t deadline_ms = config_int(desk_opts(m->desk)->config, CONF_SERVE_TOOL_DEADLINE);
    if (is_tool) progress_want(c, params, deadline_ms);
    peer_hold(p);
    under_way_add(c);
    Err err = is_tool ? tool_check(op, own) : ERR_OK;
    if (!err && is_tool) err = deadline_put(deadline_ms, op, own);
    if (!err && p->role < op->role)
        err = err_set(ERR_USAGE, "this needs a token with the role '%s'", role_name(op->role));
    if (!err) err = desk_submit(m->desk, &c->call);
    if (!err) return;
    call_fail(&c->call, err);
    mcp_done(&c->call);
}

/* Requests of the stateless era say so in their _meta. */
static bool is_modern(const json_t *v) {
    const json_t *meta = json_object_get(json_object_get(v, "params"), "_meta");
    return json_object_get(meta, META "protocolVersion") || json_object_get(meta, META "clientCapabilities");
}

/* 0: it is in order; else the error's code. */
static int meta_check(const json_t *v, Buf *text, Buf *data) {
    const json_t *meta = json_object_get(json_object_get(v, "params"), "_meta");
    Str version = field_str(meta, META "protocolVersion", NULL);
    if (!version.p || !json_is_object(json_object_get(meta, META "clientCapabilities"))) {
        buf_add_z(text, "_meta must hold " META "protocolVersion and " META "clientCapabilities");
        return RPC_INVALID_PARAMS;
    }
    if (mcp_version_known(version, true)) return 0;
    buf_printf(text, "protocol version '%.*s' is not spoken here", STR_FMT(str_upto(version, 40)));
    JsonOut j = jout_to(data);
    jout_begin(&j, '{');
    jout_key(&j, "supported");
    jout_raw(&j, STR("[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\",\"2025-03-26\",\"2024-11-05\"]"));
    jout_kv_str(&j, "requested", str_upto(version, 40));
    jout_end(&j, '}');
    return RPC_VERSION;
}

/* What can be told of a request before it is begun; 0: all is well. The text of the error goes to text. */
static int request_check(const json_t *v, const Method **method, bool *modern, Buf *text, Buf *data) {
    const json_t *id = json_object_get(v, "id"), *params = json_object_get(v, "params");
    Str name = field_str(v, "method", NULL);
    *modern = is_modern(v);
    if (!json_is_object(v) || !str_is(field_str(v, "jsonrpc", ""), "2.0") || !name.p ||
        (id && !json_is_string(id) && !json_is_integer(id))) {
        buf_add_z(text, "not a request: {\"jsonrpc\":\"2.0\",\"id\",\"method\",\"params\"} is wanted");
        return RPC_INVALID_REQUEST;
    }
    if (!id) return 0;
    if (params && !json_is_object(params)) {
        buf_add_z(text, "params must be an object");
        return RPC_INVALID_PARAMS;
    }
    *method = method_find(name, *modern);
    if (!*method && !*modern && str_is(name, "server/discover")) {
        *modern = true;
        *method = method_find(name, true);
    }
    if (!*method) {
        buf_printf(text, "unknown method '%.*s'", STR_FMT(str_upto(name, 100)));
        return RPC_NO_METHOD;
    }
    return *modern ? meta_check(v, text, data) : 0;
}

static void notification(Mcp *m, Peer *p, const json_t *v) {
    if (str_is(field_str(v, "method", ""), "notifications/cancelled"))
        cancel_by_id(m, p, json_object_get(json_object_get(v, "params"), "requestId"));
}

static bool is_response(const json_t *v) {
    return json_is_object(v) && !json_object_get(v, "method") &&
           (json_object_get(v, "result") || json_object_get(v, "error"));
}

static void handle(Mcp *m, Peer *p, RpcBatch *batch, const json_t *v) {
    const Method *method = NULL;
    bool modern = false;
    Buf text = {0}, data = {0}, out = {0};
    const json_t *id = json_object_get(v, "id");
    int code = is_response(v) ? 0 : request_check(v, &method, &modern, &text, &data);
    if (code) {
        bool told = json_is_string(id) || json_is_integer(id) ? true : code == RPC_INVALID_REQUEST;
        if (told) rpc_error_write(&out, json_is_null(id) ? NULL : id, code, text.p ? text.p : "", buf_str(&data));
        answer_send(p, batch, &out);
    } else if (method) {
        if (str_is(str_of(method->op.name), "initialize")) {
            Str wanted = field_str(json_object_get(v, "params"), "protocolVersion", "");
            (void)pthread_mutex_lock(&m->lock);
            (void)snprintf(m->version, sizeof m->version, "%.*s",
                           STR_FMT(mcp_version_known(wanted, false) ? wanted : STR("2025-11-25")));
            (void)pthread_mutex_unlock(&m->lock);
        }
        request_start(m, p, batch, v, method, modern);
    } else {
        if (!is_response(v)) notification(m, p, v);
        answer_send(p, batch, &out);
    }
    buf_free(&text);
    buf_free(&data);
    buf_free(&out);
}

/* Arrays were part of the protocol in 2025-03-26 alone. */
static void handle_batch(Mcp *m, Peer *p, const json_t *v) {
    size_t n = json_array_size(v);
    (void)pthread_mutex_lock(&m->lock);
    bool taken = m->version[0] == 0 || strcmp(m->version, "2025-03-26") == 0;
    (void)pthread_mutex_unlock(&m->lock);
    RpcBatch *batch = taken && n > 0 && n <= RPC_BATCH_MAX ? rpc_batch_new(p, n) : NULL;
    if (!batch) error_send(p, NULL, NULL, RPC_INVALID_REQUEST, "arrays of messages are not taken");
    for (size_t i = 0; batch && i < n; i++) handle(m, p, batch, json_array_get(v, i));
}

void mcp_message(Mcp *m, Peer *p, Str text) {
    json_t *v = NULL;
    if (json_read(text, "message", &v)) {
        error_send(p, NULL, NULL, RPC_PARSE_ERROR, err_text());
        return;
    }
    if (json_is_array(v))
        handle_batch(m, p, v);
    else
        handle(m, p, NULL, v);
    json_decref(v);
}

/* ---- HTTP ---- */

static int refuse(Buf *answer, const json_t *id, int status, int code, const char *text, Str data) {
    rpc_error_write(answer, id, code, text, data);
    return status;
}

/* A header that repeats text of the body. What no header can hold as it is comes in base64: "=?base64?…?=". */
static bool header_repeats(Str header, Str text) {
    const Str open = STR("=?base64?"), end = STR("?=");
    Str value = str_trim(header);
    if (!str_starts(value, open) || !str_ends(value, end) || value.n < open.n + end.n) return str_eq(value, text);
    Buf plain = {0};
    const bool same = base64_decode(str_make(value.p + open.n, value.n - open.n - end.n), BASE64_STRICT, &plain) &&
                      !plain.failed && str_eq(buf_str(&plain), text);
    buf_free(&plain);
    return same;
}

/* In the stateless era headers repeat method and name, for what stands between; they must not differ from the body. */
static int headers_check(const json_t *v, const McpHeaders *h, Buf *answer) {
    const json_t *id = json_object_get(v, "id"), *params = json_object_get(v, "params");
    Str method = field_str(v, "method", ""), name = field_str(params, "name", NULL);
    if (!name.p) name = field_str(params, "uri", NULL);
    bool named = str_is(method, "tools/call") || str_is(method, "prompts/get") || str_is(method, "resources/read");
    Str version = field_str(json_object_get(params, "_meta"), META "protocolVersion", "");
    const char *why = NULL;
    if (!h->method.p || !header_repeats(h->method, method)) why = "the header Mcp-Method differs from the method";
    if (named && (!h->name.p || !header_repeats(h->name, name)))
        why = "the header Mcp-Name differs from the name in params";
    if (h->version.p && !str_eq(str_trim(h->version), version))
        why = "the header MCP-Protocol-Version differs from _meta";
    return why ? refuse(answer, id, 400, RPC_HEADERS_DIFFER, why, STR("")) : 0;
}

static int post_check(const json_t *v, const McpHeaders *h, Buf *answer) {
    const Method *method = NULL;
    bool modern = false;
    Buf text = {0}, data = {0};
    const json_t *id = json_object_get(v, "id");
    int status = 0, code = request_check(v, &method, &modern, &text, &data);
    if (code == RPC_NO_METHOD && !modern) code = 0; /* told with 200, as all errors of that era */
    /* Before the version: of two that differ, which one is meant nobody knows. */
    if (modern && id && (!code || code == RPC_VERSION)) status = headers_check(v, h, answer);
    if (!status && code)
        status = refuse(answer, code == RPC_INVALID_REQUEST && !json_is_string(id) && !json_is_integer(id) ? NULL : id,
                        code == RPC_NO_METHOD ? 404 : 400, code, text.p ? text.p : "", buf_str(&data));
    buf_free(&text);
    buf_free(&data);
    return status;
}

/* Whose message it is: the client repeats what it was told when it introduced itself. 0: all is well. */
static int session_take(Peer *p, const json_t *v, Str header, Buf *answer) {
    const Str given = str_trim(header);
    bool good = given.n < sizeof p->session;
    for (size_t i = 0; good && i < given.n; i++) good = given.p[i] > ' ' && given.p[i] <= '~';
    if (!good) return refuse(answer, NULL, 400, RPC_INVALID_REQUEST, "Mcp-Session-Id is none of ours", STR(""));
    (void)snprintf(p->session, sizeof p->session, "%.*s", STR_FMT(given));
    if (!str_is(field_str(v, "method", ""), "initialize")) return 0;
    return session_new(p) ? refuse(answer, NULL, 500, RPC_INTERNAL, err_text(), STR("")) : 0;
}

int mcp_post(Mcp *m, Peer *p, Str body, const McpHeaders *h, Buf *answer) {
    json_t *v = NULL;
    int status = 0;
    Str version = h->version.p ? str_trim(h->version) : (Str){NULL, 0};
    if (json_read(body, "body", &v)) return refuse(answer, NULL, 400, RPC_PARSE_ERROR, err_text(), STR(""));
    if (!is_modern(v) && (status = session_take(p, v, h->session, answer))) {
        json_decref(v);
        return status;
    }
    if (version.p && !mcp_version_known(version, false) && !mcp_version_known(version, true) && !is_modern(v)) {
        status =
            refuse(answer, NULL, 400, RPC_INVALID_REQUEST, "this MCP-Protocol-Version is not spoken here", STR(""));
    } else if (json_is_array(v)) {
        bool taken = (!version.p || str_is(version, "2025-03-26")) && json_array_size(v) > 0;
        size_t requests = 0;
        for (size_t i = 0; i < json_array_size(v); i++) requests += json_object_get(json_array_get(v, i), "id") != NULL;
        if (!taken || json_array_size(v) > RPC_BATCH_MAX)
            status = refuse(answer, NULL, 400, RPC_INVALID_REQUEST, "arrays of messages are not taken", STR(""));
        else if (requests == 0)
            status = 202;
        RpcBatch *batch = status ? NULL : rpc_batch_new(p, json_array_size(v));
        for (size_t i = 0; batch && i < json_array_size(v); i++) handle(m, p, batch, json_array_get(v, i));
        if (!status && !batch) status = refuse(answer, NULL, 500, RPC_INTERNAL, "out of memory", STR(""));
    } else if (is_response(v)) {
        status = 202;
    } else if (!(status = post_check(v, h, answer))) {
        if (!json_object_get(v, "id")) status = 202;
        handle(m, p, NULL, v);
    }
    json_decref(v);
    return status;
}

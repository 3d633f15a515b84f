/* lsp.c - messages of the Language Server Protocol: heads, methods, calls and their answers; see lsp.h. */
#include "serve/lsp.h"

#include <pthread.h>
#include <stdlib.h>

#include "serve/rpc.h"

enum { LSP_NOT_INITIALIZED = -32002, LSP_CANCELLED = -32800, LSP_FAILED = -32803 };

/* ---- heads ---- */

/* One line of a head. False: it is none. */
static bool head_line(Str line, bool *told, size_t *length) {
    Str name;
    uint64_t n = 0;
    if (str_find_char(line, ':') <= 0 || !str_cut(&line, ':', &name)) return false;
    if (!str_eq_nocase(str_trim(name), STR("Content-Length")))
        return true; /* Content-Type: JSON in UTF-8 is all there is */
    if (!str_to_u64(str_trim(line), &n) || n > LSP_MESSAGE_MAX || (*told && n != *length)) return false;
    *told = true;
    *length = (size_t)n;
    return true;
}

FrameState lsp_frame(Str in, Str *message, size_t *used) {
    static const char end[] = "\r\n\r\n";
    const Str window = str_upto(in, LSP_HEAD_MAX);
    const ptrdiff_t at = str_find(window, STR("\r\n\r\n"));
    if (at < 0) return in.n >= LSP_HEAD_MAX ? FRAME_BAD : FRAME_PART;
    Str head = str_upto(in, (size_t)at), line;
    size_t length = 0;
    bool told = false;
    while (str_line(&head, &line))
        if (!head_line(line, &told, &length)) return FRAME_BAD;
    if (!told) return FRAME_BAD;
    const Str body = str_from(in, (size_t)at + sizeof end - 1);
    if (body.n < length) return FRAME_PART;
    *message = str_upto(body, length);
    *used = (size_t)at + sizeof end - 1 + length;
    return FRAME_WHOLE;
}

/* ---- methods ---- */

/* Replies are any JSON value, hence OP_RAW. */
#define METHOD(method_name, engine, body)                                                                              \
    { .name = (method_name), .role = ROLE_READ, .flags = OP_RAW | OP_LOOSE | ((engine) ? 0 : OP_NOW), .run = (body) }
static const Op methods[] = {METHOD("initialize", false, lsp_initialize),
                             METHOD("shutdown", false, lsp_shutdown),
                             METHOD("workspace/symbol", true, lsp_workspace_symbol),
                             METHOD("textDocument/documentSymbol", true, lsp_document_symbol),
                             METHOD("textDocument/definition", true, lsp_definition),
                             METHOD("textDocument/references", true, lsp_references)};

static const Op *method_find(Str name) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_is(name, methods[i].name)) return &methods[i];
    return NULL;
}

typedef struct LspCall LspCall;
struct LspCall {
    Call call; /* first: a Call of ours is its LspCall */
    Lsp *lsp;
    Peer *peer;
    json_t *id;
    bool cancelled; /* guarded by the Lsp's lock */
    LspCall *next;  /* likewise */
};

struct Lsp {
    Desk *desk;
    pthread_mutex_t lock; /* guards what follows */
    LspCall *under_way;
    LspClient client;
    bool initialized, shut;
};

Err lsp_open(Lsp **out, Desk *desk) {
    *out = calloc(1, sizeof **out);
    if (!*out) return err_set(ERR_NOMEM, "out of memory for LSP");
    (*out)->desk = desk;
    (void)pthread_mutex_init(&(*out)->lock, NULL);
    return ERR_OK;
}

void lsp_close(Lsp *l) {
    if (!l) return;
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

bool lsp_ended_well(const Lsp *l) { return l->shut; } /* the reader of messages has ended */

Lsp *lsp_of(const Call *c) { return ((const LspCall *)(const void *)c)->lsp; }

LspClient lsp_client(Lsp *l) {
    (void)pthread_mutex_lock(&l->lock);
    const LspClient copy = l->client;
    (void)pthread_mutex_unlock(&l->lock);
    return copy;
}

void lsp_client_set(Lsp *l, const LspClient *client) {
    (void)pthread_mutex_lock(&l->lock);
    l->client = *client;
    l->initialized = true;
    (void)pthread_mutex_unlock(&l->lock);
}

Err lsp_shutdown(Call *c, JsonOut *j) {
    Lsp *l = lsp_of(c);
    (void)pthread_mutex_lock(&l->lock);
    l->shut = true;
    (void)pthread_mutex_unlock(&l->lock);
    jout_null(j);
    return ERR_OK;
}

/* ---- answers ---- */

static void error_send(Peer *p, const json_t *id, int code, const char *text) {
    Buf out = {0};
    rpc_error_write(&out, id, code, text, STR(""));
    p->send(p, buf_str(&out));
    buf_free(&out);
}

static void under_way_add(LspCall *c) {
    (void)pthread_mutex_lock(&c->lsp->lock);
    c->next = c->lsp->under_way;
    c->lsp->under_way = c;
    (void)pthread_mutex_unlock(&c->lsp->lock);
}

/* True when the client has taken it back. */
static bool under_way_remove(LspCall *c) {
    (void)pthread_mutex_lock(&c->lsp->lock);
    LspCall **at = &c->lsp->under_way;
    while (*at && *at != c) at = &(*at)->next;
    if (*at) *at = c->next;
    const bool cancelled = c->cancelled;
    (void)pthread_mutex_unlock(&c->lsp->lock);
    return cancelled;
}

static void lsp_done(Call *call) {
    LspCall *c = call->ctx;
    Buf out = {0}, text = {0};
    const bool cancelled = under_way_remove(c);
    if (call->err) {
        buf_printf(&text, "%s%s%s", call->error.text, call->error.fix[0] ? "; run: " : "", call->error.fix);
        rpc_error_write(&out, c->id, cancelled ? LSP_CANCELLED : LSP_FAILED, text.p ? text.p : "", STR(""));
    } else {
        rpc_result_write(&out, c->id, buf_str(&call->body));
    }
    c->peer->send(c->peer, buf_str(&out));
    buf_free(&out);
    buf_free(&text);
    call_clear(call);
    json_decref(c->id);
    peer_drop(c->peer);
    free(c);
}

/* ---- messages ---- */

static void request_start(Lsp *l, Peer *p, const json_t *v, const Op *op) {
    const json_t *params = json_object_get(v, "params");
    LspCall *c = calloc(1, sizeof *c);
    json_t *own = json_is_object(params) ? json_deep_copy(params) : json_object();
    if (!c || !own) {
        free(c);
        json_decref(own);
        error_send(p, json_object_get(v, "id"), RPC_INTERNAL, "out of memory for a call");
        return;
    }
    *c = (LspCall){.lsp = l, .peer = p, .id = json_incref(json_object_get(v, "id"))};
    c->call = (Call){.op = op, .params = own, .role = p->role, .from = p->from, .done = lsp_done, .ctx = c};
    peer_hold(p);
    under_way_add(c);
    const Err err = desk_submit(l->desk, &c->call);
    if (!err) return;
    call_fail(&c->call, err);
    lsp_done(&c->call);
}

/* Under the lock, so that the call cannot end meanwhile. */
static void cancel_by_id(Lsp *l, const json_t *id) {
    (void)pthread_mutex_lock(&l->lock);
    for (LspCall *c = l->under_way; c; c = c->next) {
        if (!id || !json_equal(c->id, id)) continue;
        c->cancelled = true;
        desk_cancel(l->desk, &c->call);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

static void notification_take(Lsp *l, Str method, const json_t *params) {
    if (str_is(method, "$/cancelRequest")) cancel_by_id(l, json_object_get(params, "id"));
    if (str_is(method, "exit") && desk_shutdown(l->desk))
        return; /* a desk that cannot end by a call: at the end of stdin */
}

static void request_take(Lsp *l, Peer *p, const json_t *v, Str method) {
    const json_t *id = json_object_get(v, "id");
    const Op *op = method_find(method);
    (void)pthread_mutex_lock(&l->lock);
    const bool initialized = l->initialized, shut = l->shut;
    (void)pthread_mutex_unlock(&l->lock);
    const bool first = str_is(method, "initialize");
    if (shut)
        error_send(p, id, RPC_INVALID_REQUEST, "the server was shut down");
    else if (!initialized && !first)
        error_send(p, id, LSP_NOT_INITIALIZED, "initialize comes first");
    else if (initialized && first)
        error_send(p, id, RPC_INVALID_REQUEST, "initialize came before");
    else if (!op)
        error_send(p, id, RPC_NO_METHOD, "this server has no such method");
    else
        request_start(l, p, v, op);
}

void lsp_message(Lsp *l, Peer *p, Str text) {
    json_t *v = NULL;
    if (json_read(text, "message", &v)) {
        error_send(p, NULL, RPC_PARSE_ERROR, err_text());
        return;
    }
    const json_t *id = json_object_get(v, "id");
    const Str method = field_str(v, "method", NULL);
    const bool id_good = !id || json_is_string(id) || json_is_integer(id);
    if (!json_is_object(v) || !id_good || !str_is(field_str(v, "jsonrpc", ""), "2.0"))
        error_send(p, id_good ? id : NULL, RPC_INVALID_REQUEST, "not a message of JSON-RPC 2.0");
    else if (method.p && id)
        request_take(l, p, v, method);
    else if (method.p)
        notification_take(l, method, json_object_get(v, "params"));
    /* else an answer to a request of ours: there are none */
    json_decref(v);
}

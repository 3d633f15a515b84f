/* rpc.c - see rpc.h. */
#include "serve/rpc.h"

#include <pthread.h>
#include <stdlib.h>

#include "serve/reply.h"

void peer_hold(Peer *p) { (void)atomic_fetch_add(&p->holders, 1); }
void peer_drop(Peer *p) {
    if (atomic_fetch_sub(&p->holders, 1) == 1) p->gone(p);
}

/* ---- messages ---- */

static void id_write(JsonOut *j, const json_t *id) {
    char *text = id ? json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    jout_key(j, "id");
    jout_raw(j, str_of(text ? text : "null"));
    free(text);
}

void rpc_error_write(Buf *out, const json_t *id, int code, const char *message, Str data) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "jsonrpc", "2.0");
    id_write(&j, id);
    jout_key(&j, "error");
    jout_begin(&j, '{');
    jout_kv_i64(&j, "code", code);
    jout_kv_z(&j, "message", message);
    if (data.n) {
        jout_key(&j, "data");
        jout_raw(&j, data);
    }
    jout_end(&j, '}');
    jout_end(&j, '}');
}

void rpc_result_write(Buf *out, const json_t *id, Str result) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "jsonrpc", "2.0");
    id_write(&j, id);
    jout_key(&j, "result");
    jout_raw(&j, result);
    jout_end(&j, '}');
}

/* ---- batches ---- */

struct RpcBatch {
    Peer *peer;
    pthread_mutex_t lock; /* guards the rest */
    size_t missing;
    Buf all;
};

RpcBatch *rpc_batch_new(Peer *p, size_t n) {
    RpcBatch *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    (void)pthread_mutex_init(&b->lock, NULL);
    b->peer = p;
    b->missing = n;
    peer_hold(p);
    return b;
}

void rpc_batch_add(RpcBatch *b, Str answer) {
    (void)pthread_mutex_lock(&b->lock);
    if (answer.n) {
        buf_char(&b->all, b->all.n ? ',' : '[');
        buf_add(&b->all, answer);
    }
    bool last = --b->missing == 0;
    (void)pthread_mutex_unlock(&b->lock);
    if (!last) return;
    if (b->all.n) {
        buf_char(&b->all, ']');
        b->peer->send(b->peer, buf_str(&b->all));
    }
    buf_free(&b->all);
    peer_drop(b->peer);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
}

/* ---- calls ---- */

typedef struct {
    Call call;
    Peer *peer;
    RpcBatch *batch; /* NULL: alone */
    json_t *id;      /* NULL: a notification */
    bool jsonrpc;
} RpcCall;

static void answer_send(Peer *p, RpcBatch *batch, Str answer) {
    if (batch)
        rpc_batch_add(batch, answer);
    else if (answer.n)
        p->send(p, answer);
}

/* The members of our envelope's error. */
static void error_object(Buf *b, const Call *c) {
    json_t *v = NULL;
    char *text = NULL;
    if (!json_read(buf_str(&c->body), "error", &v)) text = json_dumps(json_object_get(v, "error"), JSON_COMPACT);
    buf_add_z(b, text ? text : "{}");
    free(text);
    json_decref(v);
}

static int rpc_code(Err err) {
    if (err == ERR_USAGE || err == ERR_INPUT || err == ERR_LIMIT || err == ERR_UNSUPPORTED) return RPC_INVALID_PARAMS;
    return RPC_INTERNAL;
}

static void rpc_done(Call *c) {
    RpcCall *r = c->ctx;
    Buf out = {0}, data = {0};
    if (r->id && r->jsonrpc && c->err) {
        error_object(&data, c);
        rpc_error_write(&out, r->id, rpc_code(c->err), c->error.text, buf_str(&data));
    } else if (r->id && r->jsonrpc) {
        rpc_result_write(&out, r->id, buf_str(&c->body));
    } else if (r->id) {
        JsonOut j = jout_to(&out);
        jout_begin(&j, '{');
        id_write(&j, r->id);
        jout_key(&j, c->err ? "error" : "result");
        if (c->err) error_object(&data, c);
        jout_raw(&j, c->err ? buf_str(&data) : buf_str(&c->body));
        jout_end(&j, '}');
    }
    answer_send(r->peer, r->batch, buf_str(&out));
    buf_free(&out);
    buf_free(&data);
    call_clear(c);
    json_decref(r->id);
    peer_drop(r->peer);
    free(r);
}

static void refuse(Peer *p, RpcBatch *batch, bool jsonrpc, const json_t *id, int code, const char *kind,
                   const char *text) {
    Buf out = {0};
    if (jsonrpc) {
        rpc_error_write(&out, id, code, text, STR(""));
    } else {
        JsonOut j = jout_to(&out);
        jout_begin(&j, '{');
        id_write(&j, id);
        jout_key(&j, "error");
        jout_begin(&j, '{');
        jout_kv_z(&j, "code", kind);
        jout_kv_z(&j, "message", text);
        jout_end(&j, '}');
        jout_end(&j, '}');
    }
    answer_send(p, batch, buf_str(&out));
    buf_free(&out);
}

static const Op *method_find(const json_t *v, Buf *why) {
    Str name = field_str(v, "method", NULL);
    const Op *op = name.p ? op_named(name) : NULL;
    if (op && !(op->flags & OP_RAW)) return op;
    buf_printf(why, "unknown method '%.*s'; valid: ", STR_FMT(str_upto(name.p ? name : STR(""), 100)));
    const char *before = "";
    for (op = ops; op->name; op++) {
        if (op->flags & (OP_RAW | OP_INNER)) continue;
        buf_printf(why, "%s%s", before, op->name);
        before = ", ";
    }
    return NULL;
}

static void call_start(Peer *p, RpcBatch *batch, bool jsonrpc, const json_t *v, const Op *op) {
    json_t *params = json_object_get(v, "params"), *id = json_object_get(v, "id");
    RpcCall *r = calloc(1, sizeof *r);
    json_t *own = params && !json_is_null(params) ? json_deep_copy(params) : json_object();
    if (!r || !own) {
        free(r);
        json_decref(own);
        refuse(p, batch, jsonrpc, id, RPC_INTERNAL, "out_of_memory", "out of memory for a call");
        return;
    }
    r->peer = p;
    r->batch = batch;
    r->jsonrpc = jsonrpc;
    r->id = json_incref(id);
    r->call = (Call){.op = op, .params = own, .role = p->role, .from = p->from, .done = rpc_done, .ctx = r};
    peer_hold(p);
    Err err = p->role < op->role ? err_set(ERR_USAGE, "'%s' needs the role '%s'", op->name, role_name(op->role))
                                 : desk_submit(p->desk, &r->call);
    if (!err) return;
    call_fail(&r->call, err);
    rpc_done(&r->call);
}

static void one_message(Peer *p, RpcBatch *batch, bool jsonrpc, const json_t *v) {
    const json_t *id = json_object_get(v, "id");
    bool id_good = !id || json_is_string(id) || json_is_integer(id) || (!jsonrpc && json_is_null(id));
    bool version_good = !jsonrpc || str_is(field_str(v, "jsonrpc", ""), "2.0");
    const json_t *params = json_object_get(v, "params");
    if (!json_is_object(v) || !id_good || !version_good || !json_is_string(json_object_get(v, "method"))) {
        refuse(p, batch, jsonrpc, id_good ? id : NULL, RPC_INVALID_REQUEST, "usage",
               jsonrpc ? "not a request: {\"jsonrpc\":\"2.0\",\"id\",\"method\",\"params\"} is wanted"
                       : "not a request: {\"id\",\"method\",\"params\"} is wanted");
        return;
    }
    if (params && !json_is_object(params) && !json_is_null(params)) {
        refuse(p, batch, jsonrpc, id, RPC_INVALID_PARAMS, "usage", "params must be an object");
        return;
    }
    Buf why = {0};
    const Op *op = method_find(v, &why);
    if (op)
        call_start(p, batch, jsonrpc, v, op);
    else if (id || !jsonrpc)
        refuse(p, batch, jsonrpc, id, RPC_NO_METHOD, "usage", why.p ? why.p : "unknown method");
    else if (batch)
        rpc_batch_add(batch, STR(""));
    buf_free(&why);
}

void rpc_message(Peer *p, bool jsonrpc, Str text) {
    json_t *v = NULL;
    if (json_read(text, "message", &v)) {
        refuse(p, NULL, jsonrpc, NULL, RPC_PARSE_ERROR, "bad_input", err_text());
        return;
    }
    size_t n = json_array_size(v);
    if (!jsonrpc || !json_is_array(v)) {
        one_message(p, NULL, jsonrpc, v);
    } else if (n == 0 || n > RPC_BATCH_MAX) {
        refuse(p, NULL, true, NULL, RPC_INVALID_REQUEST, "usage", "a batch has 1 to 256 members");
    } else {
        RpcBatch *batch = rpc_batch_new(p, n);
        if (!batch) refuse(p, NULL, true, NULL, RPC_INTERNAL, "out_of_memory", "out of memory for a batch");
        for (size_t i = 0; batch && i < n; i++) one_message(p, batch, true, json_array_get(v, i));
    }
    json_decref(v);
}

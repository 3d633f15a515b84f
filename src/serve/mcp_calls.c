/* mcp_calls.c - calls of MCP that are under way: taken back by their client, and how far they are. */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/hash.h"
#include "serve/mcp_impl.h"
#include "serve/reply.h"

void under_way_add(McpCall *c) {
    (void)pthread_mutex_lock(&c->mcp->lock);
    c->next = c->mcp->under_way;
    c->mcp->under_way = c;
    (void)pthread_mutex_unlock(&c->mcp->lock);
}

bool under_way_remove(McpCall *c) {
    (void)pthread_mutex_lock(&c->mcp->lock);
    McpCall **at = &c->mcp->under_way;
    while (*at && *at != c) at = &(*at)->next;
    if (*at) *at = c->next;
    bool cancelled = c->cancelled;
    (void)pthread_mutex_unlock(&c->mcp->lock);
    return cancelled;
}

/* The lock is held, so that the call cannot end meanwhile. */
static void cancel(McpCall *c) {
    c->cancelled = true;
    desk_cancel(c->mcp->desk, &c->call);
}

/* Over HTTP each message is a peer of its own: a session, and who sends it, make several of them one client. */
static bool same_client(const Peer *a, const Peer *b) {
    return a == b || (a->session[0] && strcmp(a->session, b->session) == 0 && strcmp(a->from.who, b->from.who) == 0);
}

void cancel_by_id(Mcp *m, const Peer *p, const json_t *id) {
    (void)pthread_mutex_lock(&m->lock);
    for (McpCall *c = m->under_way; c; c = c->next)
        if (same_client(c->peer, p) && id && json_equal(c->id, id) && !str_is(str_of(c->method->op.name), "initialize"))
            cancel(c);
    (void)pthread_mutex_unlock(&m->lock);
}

void mcp_left(Mcp *m, const Peer *p) {
    (void)pthread_mutex_lock(&m->lock);
    for (McpCall *c = m->under_way; c; c = c->next)
        if (c->peer == p && c->modern) cancel(c);
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- progress ---- */

enum { PROGRESS_EVERY_MS = 100 };

static void progress_write(Buf *out, const McpCall *c, const IndexProgress *p) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "jsonrpc", "2.0");
    jout_kv_z(&j, "method", "notifications/progress");
    jout_key(&j, "params");
    jout_begin(&j, '{');
    jout_key(&j, "progressToken");
    if (json_is_string(c->token))
        jout_str(&j, str_make(json_string_value(c->token), json_string_length(c->token)));
    else
        jout_i64(&j, json_integer_value(c->token));
    jout_kv_i64(&j, "progress", c->told);
    if (p->total) jout_kv_i64(&j, "total", c->before + p->total);
    Buf text = {0};
    buf_add_z(&text, p->stage);
    if (p->total) buf_printf(&text, ": %lld of %lld", (long long)p->done, (long long)p->total);
    jout_kv_str(&j, "message", buf_str(&text));
    buf_free(&text);
    jout_end(&j, '}');
    jout_end(&j, '}');
}

/* Units of all stages so far, since it has to grow from one to the next; at most one in PROGRESS_EVERY_MS. */
static void mcp_progress(Call *call, const IndexProgress *p) {
    McpCall *c = call->ctx;
    const int64_t now_ns = clock_mono_ns();
    if (strncmp(c->stage, p->stage, sizeof c->stage - 1) != 0) {
        (void)snprintf(c->stage, sizeof c->stage, "%s", p->stage);
        c->before += c->done;
        c->done = 0;
    }
    if (p->done > c->done) c->done = p->done;
    const int64_t sum = c->before + c->done;
    const bool early = c->told_ns && now_ns - c->told_ns < PROGRESS_EVERY_MS * (int64_t)1000000;
    if (early || (c->told_ns && sum <= c->told) || __atomic_load_n(&call->cancelled, __ATOMIC_RELAXED)) return;
    c->told = sum;
    c->told_ns = now_ns;
    Buf out = {0};
    progress_write(&out, c, p);
    if (!out.failed) (c->peer->notify ? c->peer->notify : c->peer->send)(c->peer, buf_str(&out));
    buf_free(&out);
}

/* Who wants to know how far a call is says by which token. In an array of messages there is one answer, and nothing
 * before it. */
void progress_want(McpCall *c, const json_t *params, int64_t deadline_ms) {
    json_t *token = json_object_get(json_object_get(params, "_meta"), "progressToken");
    if (c->batch || (!json_is_string(token) && !json_is_integer(token))) return;
    c->token = json_incref(token);
    c->call.progress = mcp_progress;
    c->call.until_ns = deadline_ms > 0 ? clock_mono_ns() + deadline_ms * 1000000 : INT64_MAX;
}

/* ---- sessions ---- */

Err session_new(Peer *p) {
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(ERR_IO, "no random bytes for a session: %s", strerror(errno));
    hex_write(bytes, sizeof bytes, p->session);
    return ERR_OK;
}

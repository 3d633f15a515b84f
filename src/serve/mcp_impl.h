/* mcp_impl.h - a call of MCP as its files share it: mcp.c (messages), mcp_calls.c (calls under way). */
#ifndef PYTHIA_SERVE_MCP_IMPL_H
#define PYTHIA_SERVE_MCP_IMPL_H

#include <pthread.h>

#include "serve/mcp.h"
#include "serve/rpc.h"

enum { METHOD_LEGACY = 1, METHOD_MODERN = 2, METHOD_CACHED = 4, METHOD_TOOL = 8 };

typedef struct {
    int flags;
    Op op;
} Method;

typedef struct McpCall McpCall;
struct McpCall {
    Call call;
    Mcp *mcp;
    Peer *peer;
    RpcBatch *batch;
    json_t *id;
    const Method *method;
    json_t *token;          /* of its progress; NULL: the client wants to know of none */
    bool modern, cancelled; /* cancelled: guarded by the Mcp's lock */
    McpCall *next;          /* likewise */
    /* what was told last; the worker's alone */
    char stage[16];
    int64_t before, done, told, told_ns; /* before: units of the stages before this one; told: their sum with done */
};

struct Mcp {
    Desk *desk;
    pthread_mutex_t lock; /* guards under_way and version */
    McpCall *under_way;
    char version[16]; /* agreed on by initialize, on stdio; "" before */
};

/* ---- mcp_calls.c ---- */
void under_way_add(McpCall *c);
/* True when the client has taken it back. */
bool under_way_remove(McpCall *c);
/* Whoever sends p takes back its call of that id. What is not under way is let pass. */
void cancel_by_id(Mcp *m, const Peer *p, const json_t *id);
/* Before the call is handed in: its progress is told if params ask for it, and a run that lasts longer than deadline_ms
 * is answered for (0: however long it lasts). */
void progress_want(McpCall *c, const json_t *params, int64_t deadline_ms);
/* A new one in p->session. */
MUST_USE Err session_new(Peer *p);

#endif

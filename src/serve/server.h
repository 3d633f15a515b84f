/* server.h - a server's whole life: the desk, its doors, waiting, and the end.
 *
 * Threads: server_run is called by one, which waits in it.
 */
#ifndef PYTHIA_SERVE_SERVER_H
#define PYTHIA_SERVE_SERVER_H

#include "serve/desk.h"

typedef struct {
    Config *config;
    const char *home, *cwd;
    char **environ;
    const char *reader; /* PythiaOpts.reader */
    bool http;          /* listen on server_address */
    const char *socket; /* Unix socket (socket.h); NULL: none */
    bool shared;        /* answer calls of the command line (shared.h), unless serve.shared says no */
    bool stdio;         /* JSON-RPC 2.0 on stdin and stdout */
    bool mcp;           /* MCP there; the caller stands in cwd */
    bool lsp;           /* the Language Server Protocol there; likewise. ERR_NOTHING: it ended without `shutdown` */
    const volatile int *cancel; /* set by a signal: the server ends in order */
    /* Called once, when calls are accepted: one JSON line of what listens where. */
    void (*ready)(void *ctx, Str line);
    void *ctx;
} ServerOpts;

/* Until cancelled, an admin's shutdown, the idle time, or the end of stdin. At most SERVER_GRACE_MS are given to calls
 * that are under way. ERR_OK when it ended in order. */
MUST_USE Err server_run(const ServerOpts *opts);
enum { SERVER_MCP_GRACE_MS = 1000, SERVER_GRACE_MS = 8000, SERVER_SEND_MS = 1500 };

/* What `pythia health` asks: GET /health and /ready of address (server_address) on this machine, through no proxy; over
 * HTTPS where serve.tls_cert is set: what the server shows must come from that file then, for whatever name it is.
 * *url: what was asked. ERR_OK: healthy; ERR_NETWORK: nobody answers, or another; ERR_BUSY: it is up but not ready,
 * with its reason. */
MUST_USE Err server_health(Arena *a, const Config *c, const char *address, const char **url);

/* Where serve listens by configuration and environment (EMBEDDING_SERVER_PORT). */
MUST_USE Err server_address(Arena *a, const Config *c, char **environ, const char **out);
/* The token file by configuration, else in home. */
MUST_USE Err server_token_file(Arena *a, const Config *c, const char *home, const char **out);

#endif

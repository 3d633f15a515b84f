/* http.h - the door of HTTP/1.1: REST, OpenAPI, metrics, MCP, on libmicrohttpd.
 *
 * One thread reads and writes all connections (epoll); a request that needs the engine suspends its connection, goes to
 * the desk, and is resumed by the worker that answers it. So a thousand idle connections cost a thousand small structs,
 * and a slow client holds no worker.
 *
 * What is refused before a body is read: a Host that is not this machine's (bound to loopback), an Origin that is not
 * allowed, no token where one is needed, both or several lengths (request smuggling), a body that is too large, a call
 * over the rate limit. Limits on headers, connections and idle time are the library's, set here.
 *
 * Threads: http_open and http_close by one; the rest is inside.
 */
#ifndef PYTHIA_SERVE_HTTP_H
#define PYTHIA_SERVE_HTTP_H

#include "serve/desk.h"
#include "serve/mcp.h"
#include "serve/tokens.h"

typedef struct HttpDoor HttpDoor;

typedef struct {
    Desk *desk;
    Mcp *mcp;
    const Config *config;
    const char *address; /* "127.0.0.1:8080", "[::1]:0", ":8080" (all addresses) */
    const char *token_file;
    Str internal_token; /* INTERNAL_AUTH_TOKEN; "": none */
} HttpDoorOpts;

/* Listens when it returns. ERR_BUSY names who has the port, and the flag. ERR_USAGE: no address, or one that is open to
 * others without a token; ERR_UNSUPPORTED: TLS is not there. */
MUST_USE Err http_door_open(HttpDoor **out, const HttpDoorOpts *opts);
const char *http_door_url(const HttpDoor *d); /* "http://127.0.0.1:8080" */
/* Takes no new connection from here on. */
void http_door_stop(HttpDoor *d);
/* Waits up to ms for answers that are under way to be sent, then closes. After desk_close only. NULL is fine. */
void http_door_close(HttpDoor *d, int64_t ms);

#endif

/* http_impl.h - a request as the files of the HTTP door share it: http.c (connections), http_checks.c (who may come
 * in), http_request.c (what is asked, and the answer), http_stream.c (an answer that comes as events). */
#ifndef PYTHIA_SERVE_HTTP_IMPL_H
#define PYTHIA_SERVE_HTTP_IMPL_H

#include "base/hash.h"
#include "serve/guard.h"
#include "serve/http.h"
#include "serve/mhd.h"

typedef struct HttpLookout HttpLookout; /* http_lookout.c */

struct HttpDoor {
    HttpDoorOpts opts;
    const Mhd *mhd;
    struct MHD_Daemon *daemon;
    int fd;
    bool tls, quiet; /* quiet: no line a request */
    char url[128], host[64];
    HostRules rules;
    RateLimit rate;
    Tokens *tokens;
    HttpLookout *lookout;
    size_t body_max, upload_max;
    uint64_t seed;              /* of request ids */
    atomic_uint_fast64_t count; /* requests so far */
    atomic_int open;            /* requests under way: their heads were read */
    atomic_bool stopping;
};

typedef enum { REQUEST_NEW, REQUEST_BODY, REQUEST_WAITING, REQUEST_STREAMING, REQUEST_ANSWERED } RequestState;

typedef struct HttpUpload HttpUpload; /* http_upload.c */
typedef struct HttpStream HttpStream; /* http_stream.c */
typedef struct Request Request;

/* One connection. The library tells of a request's first line, and of no end when it then refuses the head by itself:
 * what was made for the one goes with the connection. */
typedef struct {
    Request *begun; /* its first line was read, its head was not yet; NULL: none */
} HttpLine;

struct Request {
    HttpDoor *door;
    HttpLine *line; /* outlived by a request whose client leaves a stream */
    struct MHD_Connection *connection;
    RequestState state;
    char id[65], method[12], who[sizeof((CallFrom){0}).who];
    char *target; /* as it came: "/v1/search?q=a%20b"; owned */
    Str path;     /* decoded, in path_buf */
    Buf path_buf, body;
    size_t body_max;
    bool too_large, cors, close, http_1_0;
    const Op *op;
    HttpUpload *upload; /* the body is streamed to disk; NULL: it is in body */
    HttpStream *stream; /* of an answer that comes as events; NULL: the answer is call.body */
    Call call;
    Peer *mcp;                  /* the message of MCP that this is; NULL: none, or answered */
    char session[PEER_SESSION]; /* Mcp-Session-Id of the answer; "": none */
    char origin[256], allow[64];
    int retry_after;                  /* seconds; 0: none */
    const char *content_type, *route; /* route: of what is no operation */
    int64_t start_ns;
    size_t bytes_in;
};

#define REQUEST_DRAIN_MAX ((size_t)8 << 20)

/* ---- http_checks.c ---- */
/* Everything that can be told from the headers. False: the request is refused, its answer is in r->call. */
bool request_admit(Request *r);
void request_refuse(Request *r, int status, const char *code, const char *message, const char *fix);
/* May this role call that operation? Refuses if not. */
bool request_may(Request *r, Role needs);
bool request_too_large(Request *r);                     /* refuses: false */
Str request_header(const Request *r, const char *name); /* {NULL,0}: missing */

/* ---- http_request.c ---- */
/* Percent-decodes, strictly: a bad escape or a NUL is false. plus: '+' is a blank. */
bool url_decode(Str s, bool plus, Buf *out);
/* Body and target are there: finds the operation, fills the call, and hands it in. True: it is answered already; false:
 * the connection is suspended, and resumed when it is. */
bool request_dispatch(Request *r);
bool request_is_json(const Request *r);
/* Queues the answer of r->call. */
enum MHD_Result request_answer(Request *r);
void request_free(Request *r);
/* The headers that every answer has. */
void request_headers(Request *r, struct MHD_Response *response, int status);
void request_log(Request *r);

/* ---- http_stream.c ---- */
/* Call.stream of a request that is suspended: the first part makes its answer a stream. */
bool request_stream(Call *c, Str bytes);
/* Queues the answer of a request in REQUEST_STREAMING. */
enum MHD_Result request_stream_answer(Request *r);
/* The call is done: false when its answer is no stream. r may be gone then. */
bool request_stream_end(Request *r);
/* The connection has ended. False: the call is still at work; it is cancelled, and frees the request when it is
 * done. */
bool request_stream_leave(Request *r);
void stream_free(Request *r);

/* ---- http_lookout.c ---- */
/* A connection whose client may leave; the caller's, who sets fd and left. */
typedef struct Watched Watched;
struct Watched {
    int fd;
    void (*left)(Watched *x); /* once, on the watching thread, within its lock */
    bool gone;
    Watched *before, *next;
};
MUST_USE Err lookout_open(HttpLookout **out);
void lookout_close(HttpLookout *w); /* when nothing is watched any more. NULL is fine */
void lookout_add(HttpLookout *w, Watched *x);
void lookout_remove(HttpLookout *w, Watched *x); /* from here on left is not called */

/* ---- http_upload.c ---- */
/* Behind the headers: an upload's body will be streamed. False: refused, its answer is in r->call. */
bool upload_begin(Request *r);
void upload_add(Request *r, const char *data, size_t n);
bool upload_end(Request *r); /* files and fields are in r->call; false: it was none, the answer likewise */
void upload_free(Request *r);

/* ---- mcp_http.c ---- */
bool request_mcp(Request *r); /* as request_dispatch, for /mcp */

#endif

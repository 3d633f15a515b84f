/* http.h - a small HTTP client: one exchange at a time, streamed, bounded, cancellable.
 *
 * Behind it stands libcurl, loaded at the first use and not with the program: its 30 libraries cost each start 4.6 ms,
 * and most calls never leave the machine. Proxies come from the environment as curl reads them (https_proxy,
 * HTTPS_PROXY, http_proxy, NO_PROXY).
 *
 * Redirects are followed here, not by curl: a credential goes to the origin (scheme, host and port) that it was given
 * for and to no other, and https never becomes http.
 *
 * URLs in messages lose user, password, query and fragment: signed URLs carry secrets there.
 *
 * Threads: one Http is for one thread at a time; any number may exist. It keeps connections open between exchanges.
 */
#ifndef PYTHIA_BASE_HTTP_H
#define PYTHIA_BASE_HTTP_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

typedef struct Http Http;

typedef struct {
    const char *name, *value;
} HttpHeader;

typedef struct {
    int status;                /* 0: there was no reply */
    const char *url;           /* the last one asked, after redirects */
    const HttpHeader *headers; /* [n_headers] of the last reply, in the arena */
    size_t n_headers;
    Str body;               /* without a sink, or when status is not 2xx: then at most 64 KB of it */
    int64_t length;         /* as announced; -1: not */
    uint64_t received;      /* bytes given to the sink or the body */
    int64_t retry_after_ms; /* -1: not said */
    bool transient;         /* a failure that may pass: connection, timeout, 408, 425, 429, 5xx */
} HttpReply;

/* head: once, before the first byte of a 2xx body; an error ends the exchange with it. sink: the bytes in order. */
typedef Err (*HttpHead)(void *ctx, const HttpReply *reply);
typedef Err (*HttpSink)(void *ctx, Str bytes);

typedef struct {
    const char *method; /* "GET", "HEAD" or "POST" */
    const char *url;    /* http:// or https:// */
    const char *bearer; /* sent as "Authorization: Bearer …" to url's origin alone; NULL: none */
    const HttpHeader *headers;
    size_t n_headers;
    Str body; /* POST */
    const char *content_type;
    int64_t connect_ms;     /* 0: 10 s */
    int64_t stall_ms;       /* so long without a byte is a failure; 0: 30 s */
    uint64_t max_bytes;     /* of the reply's body: ERR_LIMIT above; 0: 16 MB */
    unsigned max_redirects; /* 0: a redirect is a reply like another. A POST is never redirected */
    bool redirect_at_home;  /* follow within the origin only; to another one is a reply */
    /* Of a server of our own, in PEM: what it shows must come from this file, for whatever name it is. NULL: from the
     * system's roots, for the URL's name. */
    const char *cert_file;
    bool direct;   /* never through a proxy */
    HttpHead head; /* NULL: none */
    HttpSink sink; /* NULL: the body goes into the arena */
    void *ctx;
    const Deadline *deadline; /* NULL: none */
} HttpRequest;

/* Loads libcurl at the first call. ERR_UNSUPPORTED when it is not there. */
MUST_USE Err http_open(Http **out);
void http_close(Http *h); /* NULL is fine */

/* One exchange, redirects followed. ERR_OK whatever the status; reply is filled as far as it goes also on failure.
 * Errors: ERR_NETWORK (no reply, cut, stalled; transient says whether it may pass), ERR_LIMIT, ERR_USAGE (no URL, a
 * line break in a header), ERR_DEADLINE, ERR_INTERRUPT (within a second), and what head and sink say. */
MUST_USE Err http_send(Http *h, Arena *a, const HttpRequest *rq, HttpReply *reply);

/* ---- trying again (http_retry.c) ---- */

typedef struct {
    unsigned attempts_max; /* 1: never again */
    int64_t base_ms;       /* pause after the first failure; doubled after each */
    int64_t max_ms;        /* no pause is longer, nor is a longer Retry-After waited for */
    uint64_t seed;         /* of the jitter: the same seed, the same pauses */
    unsigned attempt;      /* failures so far; 0 at the start, and again after progress */
} HttpRetry;

/* The pause before the next attempt: Retry-After where the server gave one (-1: it did not), else
 * base * 2^(attempt - 1), of which the upper half is spread by the jitter so that clients do not come back together.
 * -1: not again. */
int64_t http_retry_pause(const HttpRetry *retry, int64_t retry_after_ms);

/* Counts the failure and waits. false: not again (attempts are used up, the failure does not pass, or the server wants
 * more patience than max_ms). *err: ERR_OK, or why the wait ended early (deadline, interrupt): then false too. */
bool http_retry_wait(HttpRetry *retry, const HttpReply *reply, const Deadline *deadline, Err *err);

/* http_send until it succeeds or retry says no: for exchanges without a sink. The reply may still be a 4xx or 5xx. */
MUST_USE Err http_send_retry(Http *h, Arena *a, const HttpRequest *rq, HttpRetry *retry, HttpReply *reply);

/* A header's value, whatever its case; {NULL,0} when it is missing. */
Str http_header(const HttpReply *reply, const char *name);

/* "https://host:port/path", cut to fit: what may be shown of a URL. */
void http_url_shown(const char *url, char out[320]);

/* Where a configured URL takes a call such as "/embeddings": a URL that ends in the call as it is, else with the call
 * behind, after "/v1" where there is no path at all. ERR_USAGE: it is no http or https URL without query. */
MUST_USE Err http_api_url(Arena *a, Str url, const char *call, const char **out);

/* Logs a warning when key is not NULL and the URL goes unencrypted to another machine. */
void http_warn_open(const char *room, const char *url, const char *key);

/* What a reply with a status other than 2xx says, as an error: ERR_NETWORK with URL, status and the first line of its
 * body (the message in it when it is JSON). secret: never shown, should the server echo it; NULL: none. */
MUST_USE Err http_status_error(const HttpReply *reply, const char *secret);
/* The same of a service that [section] of the configuration names (keys url and key_env), with the command that mends
 * it. key_env: the variable that the key came from; NULL: none is configured. */
MUST_USE Err http_service_error(const HttpReply *reply, const char *key, const char *key_env, const char *section);

#endif

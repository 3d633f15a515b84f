/* http.c - the exchange itself; see http.h. The only file that knows libcurl.
 *
 * One easy handle an Http, so that connections, TLS sessions and names stay known between exchanges. Time is watched in
 * curl's progress callback, which runs at least once a second: cancelling, the deadline and the stall, which is counted
 * in bytes that move and not in curl's mean speed, because that is smoothed over seconds.
 */
#include "base/http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEADERS_MAX = 256, /* a reply's */
    HEADER_BYTES_MAX = 128 << 10,
    ERROR_BODY_MAX = 64 << 10,
    REDIRECTS_MAX = 20,
};
static const uint64_t BODY_MAX_DEFAULT = 16 << 20;
static const int64_t CONNECT_MS_DEFAULT = 10000, STALL_MS_DEFAULT = 30000;

/* ---- the library ---- */

/* X(function): what we use of libcurl, by the types of its own header. */
#define CURL_LIST(X)                                                                                                   \
    X(curl_global_init)                                                                                                \
    X(curl_easy_init)                                                                                                  \
    X(curl_easy_cleanup)                                                                                               \
    X(curl_easy_reset)                                                                                                 \
    X(curl_easy_perform)                                                                                               \
    X(curl_easy_strerror)                                                                                              \
    X(curl_slist_append)                                                                                               \
    X(curl_slist_free_all)                                                                                             \
    X(curl_url)                                                                                                        \
    X(curl_url_cleanup)                                                                                                \
    X(curl_url_get)                                                                                                    \
    X(curl_url_set)                                                                                                    \
    X(curl_free)

static struct {
    bool ready;
    char problem[256];
    CURLcode (*setopt)(CURL *, CURLoption, ...);
    CURLcode (*getinfo)(CURL *, CURLINFO, ...);
#define CURL_MEMBER(name) __typeof__(&(name)) name##_;
    CURL_LIST(CURL_MEMBER)
#undef CURL_MEMBER
} lib; /* written once, under lib_once */
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

/* Through memcpy: ISO C has no cast from an object pointer to a function's. */
static bool lib_symbol(void *from, const char *name, void *to, size_t size) {
    void *p = dlsym(from, name);
    if (!p) (void)snprintf(lib.problem, sizeof lib.problem, "it has no '%s'", name);
    if (p) memcpy(to, (const void *)&p, size);
    return p != NULL;
}

static void lib_load(void) {
    void *from = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!from) from = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!from) {
        (void)snprintf(lib.problem, sizeof lib.problem, "%s", dlerror());
        return;
    }
    bool all = lib_symbol(from, "curl_easy_setopt", &lib.setopt, sizeof lib.setopt) &&
               lib_symbol(from, "curl_easy_getinfo", &lib.getinfo, sizeof lib.getinfo);
#define CURL_LOAD(name) all = all && lib_symbol(from, #name, &lib.name##_, sizeof lib.name##_);
    CURL_LIST(CURL_LOAD)
#undef CURL_LOAD
    if (!all) return;
    CURLcode code = lib.curl_global_init_(CURL_GLOBAL_DEFAULT);
    if (code)
        (void)snprintf(lib.problem, sizeof lib.problem, "%s", lib.curl_easy_strerror_(code));
    else
        lib.ready = true;
}

struct Http {
    CURL *easy;
    char error[CURL_ERROR_SIZE];
};

Err http_open(Http **out) {
    *out = NULL;
    (void)pthread_once(&lib_once, lib_load);
    if (!lib.ready)
        return err_fix(err_set(ERR_UNSUPPORTED, "libcurl cannot be loaded: %s", lib.problem),
                       "apt-get install libcurl4");
    Http *h = calloc(1, sizeof *h);
    if (h) h->easy = lib.curl_easy_init_();
    if (!h || !h->easy) {
        free(h);
        return err_set(ERR_NOMEM, "out of memory for an HTTP client");
    }
    *out = h;
    return ERR_OK;
}

void http_close(Http *h) {
    if (!h) return;
    lib.curl_easy_cleanup_(h->easy);
    free(h);
}

/* ---- one hop ---- */

typedef struct {
    Http *h;
    Arena *a;
    const HttpRequest *rq;
    HttpReply *reply;
    const char *url;
    bool at_home; /* the origin the credential was given for */
    HttpHeader *headers;
    size_t header_bytes;
    Buf body;
    bool head_told;
    Err err; /* of a callback */
    int64_t moved_ns;
    curl_off_t moved; /* bytes up and down when last seen */
    bool stalled;
} Hop;

static bool is_good(int status) { return status >= 200 && status < 300; }

static size_t hop_refuse(Hop *hop, Err err) {
    hop->err = err;
    return 0; /* curl: CURLE_WRITE_ERROR */
}

/* "Name: value"; a status line begins a new reply (100 Continue and a proxy's CONNECT have their own). */
static size_t on_header(char *bytes, size_t one, size_t n, void *ctx) {
    Hop *hop = ctx;
    HttpReply *r = hop->reply;
    Str line = str_trim(str_make(bytes, one * n)), name;
    if (str_starts(line, STR("HTTP/"))) {
        r->n_headers = 0;
        hop->header_bytes = 0;
        return n;
    }
    hop->header_bytes += line.n;
    if (hop->header_bytes > HEADER_BYTES_MAX || r->n_headers == HEADERS_MAX)
        return hop_refuse(hop, err_set(ERR_LIMIT, "the reply's headers are too many"));
    if (!str_cut(&line, ':', &name) || name.n == 0) return n;
    HttpHeader *to = &hop->headers[r->n_headers];
    to->name = arena_cstr(hop->a, str_trim(name));
    to->value = arena_cstr(hop->a, str_trim(line));
    if (!to->name || !to->value) return hop_refuse(hop, arena_error());
    r->n_headers++;
    return n;
}

static void hop_status(Hop *hop) {
    long status = 0;
    curl_off_t length = -1, after = 0;
    (void)lib.getinfo(hop->h->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)lib.getinfo(hop->h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    (void)lib.getinfo(hop->h->easy, CURLINFO_RETRY_AFTER, &after);
    hop->reply->status = (int)status;
    hop->reply->length = length >= 0 ? (int64_t)length : -1;
    hop->reply->retry_after_ms =
        http_header(hop->reply, "Retry-After").p && after >= 0 && after < 1000000000 ? (int64_t)after * 1000 : -1;
}

static uint64_t body_max(const Hop *hop) {
    if (!is_good(hop->reply->status)) return ERROR_BODY_MAX;
    return hop->rq->max_bytes ? hop->rq->max_bytes : BODY_MAX_DEFAULT;
}

static Err too_large(const Hop *hop) {
    char shown[320];
    http_url_shown(hop->url, shown);
    return err_set(ERR_LIMIT, "'%s' sends more than %llu bytes", shown, (unsigned long long)body_max(hop));
}

/* Before the first byte of a good reply. */
static Err hop_head(Hop *hop) {
    if (hop->head_told) return ERR_OK;
    hop->head_told = true;
    hop_status(hop);
    if (!is_good(hop->reply->status)) return ERR_OK;
    if (hop->reply->length > 0 && (uint64_t)hop->reply->length > body_max(hop) && strcmp(hop->rq->method, "HEAD") != 0)
        return too_large(hop);
    return hop->rq->head ? hop->rq->head(hop->rq->ctx, hop->reply) : ERR_OK;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *ctx) {
    Hop *hop = ctx;
    HttpReply *r = hop->reply;
    Str piece = str_make(bytes, one * n);
    Err err = hop_head(hop);
    if (err) return hop_refuse(hop, err);
    uint64_t room = body_max(hop) - r->received;
    if (!is_good(r->status)) { /* of an error the first words are enough */
        piece = str_upto(piece, (size_t)room);
        buf_add(&hop->body, piece);
        r->received += piece.n;
        return n;
    }
    if (piece.n > room) return hop_refuse(hop, too_large(hop));
    r->received += piece.n;
    if (hop->rq->sink)
        err = hop->rq->sink(hop->rq->ctx, piece);
    else {
        buf_add(&hop->body, piece);
        err = buf_ok(&hop->body);
    }
    return err ? hop_refuse(hop, err) : n;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up) {
    Hop *hop = ctx;
    (void)down_total;
    (void)up_total;
    if (!hop->err) hop->err = deadline_check(hop->rq->deadline); /* a sink's error came first */
    if (hop->err) return 1;
    int64_t now = clock_mono_ns(), stall_ms = hop->rq->stall_ms ? hop->rq->stall_ms : STALL_MS_DEFAULT;
    if (down + up != hop->moved) {
        hop->moved = down + up;
        hop->moved_ns = now;
    }
    hop->stalled = now - hop->moved_ns > stall_ms * 1000000;
    return hop->stalled;
}

static Err header_add(struct curl_slist **list, const char *name, const char *value) {
    Buf line = {0};
    Err err = ERR_OK;
    if (strpbrk(name, "\r\n:") || strpbrk(value, "\r\n"))
        return err_set(ERR_USAGE, "the header '%.64s' has a line break in it", name);
    if (value[0])
        buf_printf(&line, "%s: %s", name, value);
    else
        buf_printf(&line, "%s:", name); /* curl: not this header at all */
    struct curl_slist *longer = buf_ok(&line) ? NULL : lib.curl_slist_append_(*list, line.p);
    if (longer)
        *list = longer;
    else
        err = err_set(ERR_NOMEM, "out of memory for a request");
    if (line.p) explicit_bzero(line.p, line.n);
    buf_free(&line);
    return err;
}

static Err headers_make(const Hop *hop, struct curl_slist **list) {
    const HttpRequest *rq = hop->rq;
    for (size_t i = 0; i < rq->n_headers; i++) TRY(header_add(list, rq->headers[i].name, rq->headers[i].value));
    if (rq->content_type) TRY(header_add(list, "Content-Type", rq->content_type));
    if (strcmp(rq->method, "POST") == 0) TRY(header_add(list, "Expect", ""));
    if (!rq->bearer || !rq->bearer[0] || !hop->at_home) return ERR_OK;
    Buf value = {0};
    buf_printf(&value, "Bearer %s", rq->bearer);
    Err err = buf_ok(&value);
    if (!err) err = header_add(list, "Authorization", value.p);
    if (value.p) explicit_bzero(value.p, value.n);
    buf_free(&value);
    return err;
}

static void hop_options(Hop *hop, struct curl_slist *headers) {
    CURL *e = hop->h->easy;
    const HttpRequest *rq = hop->rq;
    lib.curl_easy_reset_(e); /* connections and names stay */
    hop->h->error[0] = 0;
    (void)lib.setopt(e, CURLOPT_ERRORBUFFER, hop->h->error);
    (void)lib.setopt(e, CURLOPT_URL, hop->url);
    (void)lib.setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)lib.setopt(e, CURLOPT_USERAGENT, "pythia");
    (void)lib.setopt(e, CURLOPT_HTTPHEADER, headers);
    (void)lib.setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    (void)lib.setopt(e, CURLOPT_BUFFERSIZE, 256L << 10);
    (void)lib.setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)lib.setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(rq->connect_ms ? rq->connect_ms : CONNECT_MS_DEFAULT));
    (void)lib.setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    (void)lib.setopt(e, CURLOPT_HEADERDATA, hop);
    (void)lib.setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    (void)lib.setopt(e, CURLOPT_WRITEDATA, hop);
    (void)lib.setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)lib.setopt(e, CURLOPT_XFERINFODATA, hop);
    (void)lib.setopt(e, CURLOPT_NOPROGRESS, 0L);
    if (rq->direct) (void)lib.setopt(e, CURLOPT_PROXY, "");
    if (rq->cert_file) {
        /* The name adds nothing where the certificate itself is known, and is seldom 127.0.0.1. */
        (void)lib.setopt(e, CURLOPT_CAINFO, rq->cert_file);
        (void)lib.setopt(e, CURLOPT_CAPATH, NULL);
        (void)lib.setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (strcmp(rq->method, "HEAD") == 0) (void)lib.setopt(e, CURLOPT_NOBODY, 1L);
    if (strcmp(rq->method, "POST") == 0) {
        (void)lib.setopt(e, CURLOPT_POST, 1L);
        (void)lib.setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body.n);
        (void)lib.setopt(e, CURLOPT_POSTFIELDS, rq->body.p ? rq->body.p : "");
    }
}

static bool code_passes(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
        return true;
    default:
        return false;
    }
}

static Err hop_failure(Hop *hop, CURLcode code) {
    char shown[320];
    if (hop->err) return hop->err; /* text set where it happened */
    http_url_shown(hop->url, shown);
    hop->reply->transient = hop->stalled || code_passes(code);
    if (hop->stalled)
        return err_set(ERR_NETWORK, "'%s' stalled: no byte for %lld s", shown,
                       (long long)((hop->rq->stall_ms ? hop->rq->stall_ms : STALL_MS_DEFAULT) / 1000));
    if (code == CURLE_OUT_OF_MEMORY) return err_set(ERR_NOMEM, "out of memory asking '%s'", shown);
    /* curl's own detail names hosts and byte counts, never headers. */
    const char *detail =
        hop->h->error[0] && code != CURLE_URL_MALFORMAT ? hop->h->error : lib.curl_easy_strerror_(code);
    return err_set(ERR_NETWORK, "cannot get '%s': %s", shown, detail);
}

/* A whole reply, or the redirect that it is. */
static Err hop_run(Hop *hop) {
    struct curl_slist *headers = NULL;
    *hop->reply = (HttpReply){.url = hop->url, .headers = hop->headers, .length = -1, .retry_after_ms = -1};
    Err err = headers_make(hop, &headers);
    if (err) goto done;
    hop_options(hop, headers);
    hop->moved_ns = clock_mono_ns();
    CURLcode code = lib.curl_easy_perform_(hop->h->easy);
    if (!code && (hop->err = hop_head(hop))) code = CURLE_WRITE_ERROR; /* no body: the head is told now */
    if (hop->head_told || !code) hop_status(hop);
    if (code) {
        err = hop_failure(hop, code);
        goto done;
    }
    int status = hop->reply->status;
    hop->reply->transient = status == 408 || status == 425 || status == 429 || (status >= 500 && status != 501);
    hop->reply->body = arena_str(hop->a, buf_str(&hop->body));
    if (!hop->reply->body.p) err = arena_error();
done:
    if (headers) lib.curl_slist_free_all_(headers);
    buf_free(&hop->body);
    return err;
}

/* ---- redirects ---- */

/* scheme, host and port of a URL; ERR_USAGE for anything but http and https. */
static Err origin_read(Arena *a, const char *url, const char **out) {
    char *scheme = NULL, *host = NULL, *port = NULL, shown[320];
    http_url_shown(url, shown);
    CURLU *u = lib.curl_url_();
    if (!u) return err_set(ERR_NOMEM, "out of memory for a URL");
    Err err = ERR_OK;
    if (lib.curl_url_set_(u, CURLUPART_URL, url, 0) || lib.curl_url_get_(u, CURLUPART_SCHEME, &scheme, 0) ||
        lib.curl_url_get_(u, CURLUPART_HOST, &host, 0) ||
        lib.curl_url_get_(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        err = err_set(ERR_USAGE, "'%s' is no http or https URL", shown);
    else if (!(*out = arena_printf(a, "%s://%s:%s", scheme, host, port).p))
        err = arena_error();
    lib.curl_free_(scheme);
    lib.curl_free_(host);
    lib.curl_free_(port);
    lib.curl_url_cleanup_(u);
    return err;
}

/* Where a redirect leads, absolute; NULL: the reply is none. */
static Err redirect_target(Hop *hop, const char **out) {
    char *to = NULL;
    int status = hop->reply->status;
    *out = NULL;
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) return ERR_OK;
    (void)lib.getinfo(hop->h->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to) return ERR_OK;
    *out = arena_cstr(hop->a, str_of(to));
    return *out ? ERR_OK : arena_error();
}

static Err redirect_refused(const Hop *hop, const char *why) {
    char shown[320];
    http_url_shown(hop->rq->url, shown);
    return err_set(ERR_NETWORK, "'%s' redirects %s", shown, why);
}

Err http_send(Http *h, Arena *a, const HttpRequest *rq, HttpReply *reply) {
    const char *home = NULL, *origin = NULL, *next = NULL;
    *reply = (HttpReply){.length = -1, .retry_after_ms = -1};
    TRY(origin_read(a, rq->url, &home));
    origin = home;
    bool is_post = strcmp(rq->method, "POST") == 0;
    unsigned most = rq->max_redirects < REDIRECTS_MAX ? rq->max_redirects : REDIRECTS_MAX;
    HttpHeader *headers = arena_array(a, HttpHeader, HEADERS_MAX);
    if (!headers) return arena_error();
    for (unsigned hops = 0;; hops++) {
        Hop hop = {.h = h, .a = a, .rq = rq, .reply = reply, .url = next ? next : rq->url, .headers = headers};
        hop.at_home = strcmp(origin, home) == 0;
        TRY(deadline_check(rq->deadline));
        TRY(hop_run(&hop));
        TRY(redirect_target(&hop, &next));
        if (!next || most == 0 || is_post) return ERR_OK;
        if (hops >= most) return redirect_refused(&hop, "without end");
        const char *before = origin;
        if (origin_read(a, next, &origin)) return redirect_refused(&hop, "to something that is no http or https URL");
        if (rq->redirect_at_home && strcmp(origin, home) != 0) return ERR_OK;
        if (str_starts(str_of(before), STR("https:")) && !str_starts(str_of(origin), STR("https:")))
            return redirect_refused(&hop, "from https to http, which is refused");
    }
}

/* http_checks.c - what is checked before a body is read. Sources: RFC 9112 (framing), RFC 6750 (bearer tokens). */
#include <stdio.h>

#include "serve/http_impl.h"

void request_refuse(Request *r, int status, const char *code, const char *message, const char *fix) {
    r->call.queued_ns = r->start_ns;
    call_fail_as(&r->call, status, code, message, fix);
}

Str request_header(const Request *r, const char *name) {
    return str_of(r->door->mhd->lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

/* RFC 9110, 5.6.2. The library takes any bytes before a colon as a name: "Content-Length : 9" would be a header that
 * nobody knows. It also hangs a folded line (RFC 9112, 5.2) on the name, not on the value, of the header before:
 * "Content-Length:", " 9" becomes "Content-Length9", which is a name, but none that anybody would choose. */
static bool is_name(Str s) {
    const Str framing[] = {STR("content-length"), STR("transfer-encoding")};
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
        if (s.n > framing[i].n && str_eq_nocase(str_upto(s, framing[i].n), framing[i])) return false;
    return s.n > 0;
}

typedef struct {
    int lengths, encodings, hosts, authorizations;
    bool bad_name, bad_encoding;
    uint64_t length;
    bool bad_length;
} Framing;

static enum MHD_Result look_at_header(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value) {
    Framing *f = ctx;
    Str k = str_of(key), v = str_of(value);
    (void)kind;
    f->bad_name |= !is_name(k);
    if (str_eq_nocase(k, STR("content-length"))) {
        f->lengths++;
        f->bad_length |= !str_to_u64(v, &f->length);
    } else if (str_eq_nocase(k, STR("transfer-encoding"))) {
        f->encodings++;
        f->bad_encoding |= !str_eq_nocase(v, STR("chunked"));
    } else if (str_eq_nocase(k, STR("host"))) {
        f->hosts++;
    } else if (str_eq_nocase(k, STR("authorization"))) {
        f->authorizations++;
    }
    return MHD_YES;
}

/* Whoever stands between may read a doubtful length otherwise than we do: such a request is refused and its connection
 * closed. */
static bool framing_check(Request *r) {
    Framing f = {0};
    (void)r->door->mhd->get_connection_values(r->connection, MHD_HEADER_KIND, look_at_header, &f);
    if (f.bad_name) {
        request_refuse(r, 400, "bad_request", "a header is folded, or its name is not well-formed", NULL);
        return false;
    }
    if (f.encodings && r->http_1_0) {
        request_refuse(r, 400, "bad_request", "HTTP/1.0 has no transfer encodings", NULL);
        return false;
    }
    if (f.lengths + f.encodings > 1 || f.bad_length || f.bad_encoding || f.hosts > 1 || f.authorizations > 1) {
        request_refuse(r, 400, "bad_request",
                       "the request's length, host or authorization is told twice or cannot be read", NULL);
        return false;
    }
    r->too_large = f.length > r->body_max;
    /* A little too much is read and thrown away, so that a client that sends first and listens then hears why. */
    return f.length <= r->body_max + REQUEST_DRAIN_MAX || request_too_large(r);
}

bool request_too_large(Request *r) {
    char text[128];
    (void)snprintf(text, sizeof text, "the body is too large: at most %zu bytes are taken", r->body_max);
    request_refuse(r, 413, "too_large", text, "pythia serve --config serve.max_body=SIZE");
    return false;
}

static bool places_check(Request *r) {
    Str host = request_header(r, "Host"), origin = request_header(r, "Origin");
    if (!host.p || !host_allowed(&r->door->rules, host)) {
        request_refuse(r, host.p ? 421 : 400, "wrong_host", "this is not the server of that name",
                       "ask for it as 127.0.0.1 or localhost");
        return false;
    }
    if (!origin.p) return true;
    if (!origin_allowed(&r->door->rules, host, origin)) {
        request_refuse(r, 403, "wrong_origin", "pages of this origin may not call this server",
                       "pythia serve --config serve.allowed_origins=ORIGIN");
        return false;
    }
    (void)snprintf(r->origin, sizeof r->origin, "%.*s", STR_FMT(str_upto(origin, sizeof r->origin - 1)));
    r->cors = true;
    return true;
}

/* Who calls: a token's id and role; without any token in use, everybody on this machine may do everything. */
static bool token_check(Request *r) {
    Tokens *tokens = r->door->tokens;
    Str header = request_header(r, "Authorization");
    char id[TOKEN_ID];
    r->call.role = ROLE_NONE;
    if (!tokens_wanted(tokens)) {
        r->call.role = ROLE_ADMIN;
        return true;
    }
    if (!header.p) return true; /* /health needs none */
    bool bearer = header.n > 7 && str_eq_nocase(str_upto(header, 7), STR("bearer "));
    if (bearer && tokens_check(tokens, str_trim(str_from(header, 7)), &r->call.role, id)) {
        (void)snprintf(r->who, sizeof r->who, "%s", id);
        return true;
    }
    (void)atomic_fetch_add(&desk_metrics(r->door->opts.desk)->refused_auth, 1);
    request_refuse(r, 401, "unauthorized", "the token is not valid", "pythia token create NAME");
    return false;
}

bool request_may(Request *r, Role needs) {
    if (r->call.role >= needs) return true;
    if (r->call.role == ROLE_NONE) {
        (void)atomic_fetch_add(&desk_metrics(r->door->opts.desk)->refused_auth, 1);
        request_refuse(r, 401, "unauthorized", "a token is needed: Authorization: Bearer …",
                       "pythia token create NAME");
        return false;
    }
    char text[96];
    (void)snprintf(text, sizeof text, "this needs the role '%s', the token has '%s'", role_name(needs),
                   role_name(r->call.role));
    request_refuse(r, 403, "forbidden", text, "pythia token create NAME --role ROLE");
    return false;
}

static bool rate_check(Request *r) {
    r->retry_after = rate_take(&r->door->rate, str_of(r->who), r->start_ns);
    if (!r->retry_after) return true;
    (void)atomic_fetch_add(&desk_metrics(r->door->opts.desk)->refused_rate, 1);
    request_refuse(r, 429, "rate_limited", "too many requests; Retry-After tells when to come again", NULL);
    return false;
}

bool request_admit(Request *r) { return framing_check(r) && places_check(r) && token_check(r) && rate_check(r); }

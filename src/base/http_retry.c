/* http_retry.c - when to try again, and what to say of a reply that is none; see http.h. */
#include <time.h>

#include "base/hash.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"

enum { WAIT_STEP_MS = 50, REASON_MAX = 200 };

int64_t http_retry_pause(const HttpRetry *retry, int64_t retry_after_ms) {
    if (retry->attempt >= retry->attempts_max) return -1;
    if (retry_after_ms > retry->max_ms) return -1;
    if (retry_after_ms >= 0) return retry_after_ms;
    int64_t pause = retry->base_ms;
    for (unsigned i = 1; i < retry->attempt && pause < retry->max_ms; i++) pause *= 2;
    if (pause > retry->max_ms) pause = retry->max_ms;
    uint64_t key[2] = {retry->seed, retry->attempt};
    uint64_t random = xxh3_of(str_make((const char *)key, sizeof key));
    return pause - pause / 2 + (int64_t)(random % (uint64_t)(pause / 2 + 1));
}

static Err wait_ms(int64_t ms, const Deadline *deadline) {
    int64_t until = clock_mono_ns() + ms * 1000000;
    for (;;) {
        TRY(deadline_check(deadline));
        int64_t left = until - clock_mono_ns();
        if (left <= 0) return ERR_OK;
        if (left > (int64_t)WAIT_STEP_MS * 1000000) left = (int64_t)WAIT_STEP_MS * 1000000;
        struct timespec pause = {0, (long)left};
        (void)nanosleep(&pause, NULL); /* woken by a signal: the flag is looked at */
    }
}

bool http_retry_wait(HttpRetry *retry, const HttpReply *reply, const Deadline *deadline, Err *err) {
    *err = ERR_OK;
    retry->attempt++;
    if (!reply->transient) return false;
    int64_t pause = http_retry_pause(retry, reply->retry_after_ms);
    if (pause < 0) return false;
    *err = wait_ms(pause, deadline);
    return *err == ERR_OK;
}

Err http_send_retry(Http *h, Arena *a, const HttpRequest *rq, HttpRetry *retry, HttpReply *reply) {
    for (;;) {
        Err waited = ERR_OK, err = http_send(h, a, rq, reply);
        if (!err && !reply->transient) return ERR_OK;
        ErrInfo told;
        err_save(&told, err);
        if (!http_retry_wait(retry, reply, rq->deadline, &waited)) return waited ? waited : err_restore(&told);
    }
}

Str http_header(const HttpReply *reply, const char *name) {
    for (size_t i = reply->n_headers; i-- > 0;) /* the last one counts where a server repeats itself */
        if (str_eq_nocase(str_of(reply->headers[i].name), str_of(name))) return str_of(reply->headers[i].value);
    return (Str){NULL, 0};
}

void http_url_shown(const char *url, char out[320]) {
    Str rest = str_of(url);
    ptrdiff_t scheme = str_find(rest, STR("://"));
    size_t at = 0, host = scheme < 0 ? 0 : (size_t)scheme + 3, end = rest.n;
    for (size_t i = host; i < rest.n && end == rest.n; i++)
        if (rest.p[i] == '?' || rest.p[i] == '#') end = i;
    size_t name_end = host;
    while (name_end < end && rest.p[name_end] != '/') name_end++;
    size_t user_end = host;
    for (size_t i = host; i < name_end; i++)
        if (rest.p[i] == '@') user_end = i + 1;
    for (size_t i = 0; i < end && at < 319; i++)
        if (i < host || i >= user_end) out[at++] = (unsigned char)rest.p[i] < 0x20 ? '?' : rest.p[i];
    out[at] = 0;
}

Err http_api_url(Arena *a, Str url, const char *call, const char **out) {
    url = str_trim(url);
    while (url.n && url.p[url.n - 1] == '/') url.n--;
    const ptrdiff_t scheme = str_find(url, STR("://"));
    if (scheme <= 0 || str_find_char(url, '?') >= 0 || str_find_char(url, '#') >= 0)
        return err_set(ERR_USAGE, "'%.*s' is no URL of a service", STR_FMT(url));
    const bool has_path = str_find_char(str_from(url, (size_t)scheme + 3), '/') >= 0;
    const bool whole = str_ends(url, str_of(call));
    *out = arena_printf(a, "%.*s%s%s", STR_FMT(url), whole || has_path ? "" : "/v1", whole ? "" : call).p;
    return *out ? ERR_OK : arena_error();
}

void http_warn_open(const char *room, const char *url, const char *key) {
    if (key && !str_starts(str_of(url), STR("https:")) && str_find(str_of(url), STR("://127.")) < 0 &&
        str_find(str_of(url), STR("://localhost")) < 0)
        LOG(LOG_WARN, room, "the key and all texts go unencrypted url=%s", url);
}

/* The message in a JSON error body, in the shapes that servers use: {"error": {"message"}}, {"error"}, {"message"},
 * {"detail"}. */
static Str json_reason(const json_t *root) {
    static const char *const names[] = {"error", "message", "detail"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *v = json_object_get(root, names[i]);
        if (json_is_object(v)) v = json_object_get(v, "message");
        if (json_is_string(v)) return str_make(json_string_value(v), json_string_length(v));
    }
    return (Str){NULL, 0};
}

/* One line for people: controls become blanks, a secret stars. */
static void reason_add(Buf *out, Str text, const char *secret) {
    size_t key = secret ? strlen(secret) : 0;
    for (size_t i = 0; i < text.n && out->n < REASON_MAX; i++) {
        if (key && text.n - i >= key && memcmp(text.p + i, secret, key) == 0) {
            buf_add_z(out, "***");
            i += key - 1;
        } else {
            unsigned char c = (unsigned char)text.p[i];
            buf_char(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
        }
    }
}

Err http_status_error(const HttpReply *reply, const char *secret) {
    char shown[320];
    http_url_shown(reply->url ? reply->url : "", shown);
    json_t *root = NULL;
    Str text = str_trim(reply->body), line = text, reason = {NULL, 0};
    if (text.n && text.p[0] == '{' && json_read(text, "error", &root) == ERR_OK) reason = json_reason(root);
    if (!reason.p && text.n && text.p[0] != '<' && str_line(&text, &line)) reason = line; /* pages say nothing */
    Buf shown_reason = {0};
    reason_add(&shown_reason, reason, secret);
    json_decref(root);
    const char *passing = reply->transient ? "; try again later" : "";
    const char *between = shown_reason.n ? ": " : "";
    Err err = err_set(ERR_NETWORK, "'%s' answers %d%s%s%s", shown, reply->status, between,
                      shown_reason.n ? shown_reason.p : "", passing);
    buf_free(&shown_reason);
    return err;
}

Err http_service_error(const HttpReply *reply, const char *key, const char *key_env, const char *section) {
    const Err err = http_status_error(reply, key);
    switch (reply->status) {
    case 401:
    case 403:
        if (!key) return err_fix(err, "pythia config set %s.key_env NAME_OF_VARIABLE", section);
        return err_fix(err, "export %s=…", key_env ? key_env : "KEY");
    case 301:
    case 302:
    case 307:
    case 308:
    case 404:
    case 405:
        return err_fix(err, "pythia config set %s.url http://HOST:PORT/v1", section);
    default:
        return err;
    }
}

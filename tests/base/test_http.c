/* The client against a server that says exactly what each test wants it to say, byte by byte. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/http.h"
#include "check.h"

enum { REPLIES_MAX = 8 };

typedef struct {
    int listener, port;
    pthread_t thread;
    const char *replies[REPLIES_MAX]; /* one a connection; NULL: closed without a word; "hang": never answered */
    size_t n, served;
    char asked[REPLIES_MAX][4096]; /* the requests, as they came */
    char base[64];
    int hold; /* a connection kept open by "hang" */
} Server;

static void server_read(int fd, char *to, size_t cap) {
    size_t at = 0;
    while (at < cap - 1) {
        ssize_t n = recv(fd, to + at, cap - 1 - at, 0);
        if (n <= 0) break;
        at += (size_t)n;
        to[at] = 0;
        const char *end = strstr(to, "\r\n\r\n"), *length = strcasestr(to, "content-length:");
        if (end && at - (size_t)(end + 4 - to) >= (length ? strtoul(length + 15, NULL, 10) : 0)) break;
    }
}

static void *server_run(void *arg) {
    Server *s = arg;
    for (; s->served < s->n; s->served++) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0) break;
        server_read(fd, s->asked[s->served], sizeof s->asked[0]);
        const char *reply = s->replies[s->served];
        if (reply && strcmp(reply, "hang") == 0) {
            s->hold = fd;
            continue;
        }
        for (size_t at = 0, n = reply ? strlen(reply) : 0; at < n;) {
            ssize_t sent = send(fd, reply + at, n - at, MSG_NOSIGNAL);
            if (sent <= 0) break;
            at += (size_t)sent;
        }
        (void)close(fd);
    }
    return NULL;
}

static void server_start(Server *s) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(s->listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(s->listener, 8) == 0);
    CHECK(getsockname(s->listener, (struct sockaddr *)&at, &size) == 0);
    s->port = ntohs(at.sin_port);
    (void)snprintf(s->base, sizeof s->base, "http://127.0.0.1:%d", s->port);
    CHECK(pthread_create(&s->thread, NULL, server_run, s) == 0);
}

static void server_stop(Server *s) {
    (void)shutdown(s->listener, SHUT_RDWR);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->listener);
    if (s->hold > 0) (void)close(s->hold);
}

typedef struct {
    Http *http;
    Arena arena;
    HttpReply reply;
} Client;

static void client_start(Client *c) {
    *c = (Client){0};
    CHECK_OK(http_open(&c->http));
}

static void client_stop(Client *c) {
    http_close(c->http);
    arena_free(&c->arena);
}

static const char *url_of(Client *c, const Server *s, const char *path) {
    return arena_printf(&c->arena, "%s%s", s->base, path).p;
}

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: one\r\nConnection: close\r\n\r\nhello"

static void a_get_brings_status_headers_and_body(void **state) {
    (void)state;
    Server s = {.replies = {OK_HELLO}, .n = 1};
    Client c;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {
        .method = "GET", .url = url_of(&c, &s, "/a?b=c"), .headers = &(HttpHeader){"X-Ask", "yes"}, .n_headers = 1};
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    CHECK_INT(c.reply.status, 200);
    CHECK_STR(c.reply.body, "hello");
    CHECK_STR(http_header(&c.reply, "x-thing"), "one");
    CHECK(!http_header(&c.reply, "missing").p);
    CHECK_INT(c.reply.length, 5);
    CHECK_INT(c.reply.received, 5);
    server_stop(&s);
    CHECK(str_starts(str_of(s.asked[0]), STR("GET /a?b=c HTTP/1.1\r\n")));
    CHECK(strstr(s.asked[0], "X-Ask: yes\r\n") != NULL);
    client_stop(&c);
}

static void a_post_sends_body_type_and_token(void **state) {
    (void)state;
    Server s = {.replies = {OK_HELLO}, .n = 1};
    Client c;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "POST",
                      .url = url_of(&c, &s, "/v1"),
                      .body = STR("{\"a\":1}"),
                      .content_type = "application/json",
                      .bearer = "sesame"};
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    server_stop(&s);
    CHECK(str_ends(str_of(s.asked[0]), STR("\r\n\r\n{\"a\":1}")));
    CHECK(strstr(s.asked[0], "Content-Type: application/json\r\n") != NULL);
    CHECK(strstr(s.asked[0], "Authorization: Bearer sesame\r\n") != NULL);
    CHECK(strcasestr(s.asked[0], "expect:") == NULL);
    client_stop(&c);
}

static void a_token_is_not_sent_to_another_origin(void **state) {
    (void)state;
    char to_other[256];
    Server other = {.replies = {OK_HELLO}, .n = 1};
    Server s = {.replies = {to_other, to_other}, .n = 2};
    Client c;
    server_start(&other);
    (void)snprintf(to_other, sizeof to_other,
                   "HTTP/1.1 302 Found\r\nLocation: %s/there?sig=1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                   other.base);
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/x"), .bearer = "sesame", .max_redirects = 5};
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    CHECK_STR(c.reply.body, "hello");
    rq.redirect_at_home = true;
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    CHECK_INT(c.reply.status, 302);
    server_stop(&s);
    server_stop(&other);
    CHECK(strstr(s.asked[0], "sesame") != NULL);
    CHECK(str_starts(str_of(other.asked[0]), STR("GET /there?sig=1 ")));
    CHECK(strstr(other.asked[0], "Authorization") == NULL);
    CHECK(strstr(other.asked[0], "sesame") == NULL);
    client_stop(&c);
}

#define REDIRECT(to) "HTTP/1.1 307 T\r\nLocation: " to "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static void redirects_at_home_keep_the_token_and_have_an_end(void **state) {
    (void)state;
    Server s = {
        .replies = {REDIRECT("/b"), OK_HELLO, REDIRECT("/a"), REDIRECT("/a"), REDIRECT("/a"), REDIRECT("ftp://h/x")},
        .n = 6};
    Client c;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/a"), .bearer = "sesame", .max_redirects = 2};
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    CHECK_STR(c.reply.body, "hello");
    CHECK(str_ends(str_of(c.reply.url), STR("/b")));
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_NETWORK, "redirects without end");
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_NETWORK, "no http or https URL");
    server_stop(&s);
    CHECK(strstr(s.asked[1], "Bearer sesame") != NULL);
    client_stop(&c);
}

static void a_post_is_never_redirected(void **state) {
    (void)state;
    Server s = {.replies = {REDIRECT("/b")}, .n = 1};
    Client c;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "POST", .url = url_of(&c, &s, "/a"), .body = STR("secret text"), .max_redirects = 5};
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    CHECK_INT(c.reply.status, 307);
    server_stop(&s);
    client_stop(&c);
}

static void a_body_over_the_limit_is_refused_announced_or_not(void **state) {
    (void)state;
    Server s = {.replies = {OK_HELLO, "HTTP/1.0 200 OK\r\n\r\nhello without length"}, .n = 2};
    Client c;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/a"), .max_bytes = 4};
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_LIMIT, "sends more than 4 bytes");
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_LIMIT, "sends more than 4 bytes");
    CHECK(!c.reply.transient);
    server_stop(&s);
    client_stop(&c);
}

static void a_cut_body_and_silence_are_failures_that_may_pass(void **state) {
    (void)state;
    Server s = {.replies = {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel", NULL, "hang"}, .n = 3};
    Client c;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/a?key=hidden"), .stall_ms = 300};
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_NETWORK, "/a'");
    CHECK(c.reply.transient);
    CHECK_INT(c.reply.received, 3);
    CHECK(strstr(err_text(), "hidden") == NULL);
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_NETWORK, "mpty reply");
    CHECK(c.reply.transient);
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_NETWORK, "stalled");
    CHECK(c.reply.transient);
    server_stop(&s);
    client_stop(&c);
}

static void a_refused_connection_may_pass_and_a_bad_url_does_not(void **state) {
    (void)state;
    Server s = {.n = 0};
    Client c;
    server_start(&s);
    server_stop(&s); /* nobody listens there now */
    client_start(&c);
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/a")};
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_NETWORK, "cannot get 'http://127.0.0.1:");
    CHECK(c.reply.transient);
    rq.url = "file:///etc/passwd";
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_USAGE, "no http or https URL");
    rq.url = "";
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_USAGE, "no http or https URL");
    rq.url = "http://127.0.0.1:1/";
    rq.bearer = "a\r\nX-Evil: 1";
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_USAGE, "line break");
    client_stop(&c);
}

static void deadline_and_cancel_end_an_exchange(void **state) {
    (void)state;
    Server s = {.replies = {"hang"}, .n = 1};
    Client c;
    volatile int cancel = 1;
    server_start(&s);
    client_start(&c);
    Deadline soon = {.at_ns = clock_mono_ns() + 200000000};
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/a"), .deadline = &soon};
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_DEADLINE, "deadline");
    rq.deadline = &(Deadline){.cancel = &cancel};
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_INTERRUPT, "interrupted");
    CHECK(!c.reply.transient);
    server_stop(&s);
    client_stop(&c);
}

static Err count_bytes(void *ctx, Str bytes) {
    *(size_t *)ctx += bytes.n;
    return ERR_OK;
}

static Err refuse_head(void *ctx, const HttpReply *reply) {
    (void)ctx;
    return err_set(ERR_CORRUPT, "no %d for me", reply->status);
}

static void a_sink_gets_good_bodies_only_and_head_may_refuse(void **state) {
    (void)state;
    Server s = {.replies = {"HTTP/1.1 404 No\r\nContent-Length: 7\r\n\r\nmissing", OK_HELLO, OK_HELLO}, .n = 3};
    Client c;
    size_t got = 0;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/a"), .sink = count_bytes, .ctx = &got};
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    CHECK_INT(got, 0);
    CHECK_STR(c.reply.body, "missing");
    CHECK_ERR(http_status_error(&c.reply, NULL), ERR_NETWORK, "/a' answers 404: missing");
    CHECK_OK(http_send(c.http, &c.arena, &rq, &c.reply));
    CHECK_INT(got, 5);
    rq.head = refuse_head;
    CHECK_ERR(http_send(c.http, &c.arena, &rq, &c.reply), ERR_CORRUPT, "no 200 for me");
    CHECK_INT(got, 5);
    server_stop(&s);
    client_stop(&c);
}

static void what_may_pass_is_tried_again_and_no_more(void **state) {
    (void)state;
    Server s = {.replies = {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", NULL, OK_HELLO,
                            "HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n",
                            "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
                .n = 5};
    Client c;
    server_start(&s);
    client_start(&c);
    HttpRequest rq = {.method = "GET", .url = url_of(&c, &s, "/a")};
    HttpRetry retry = {.attempts_max = 4, .base_ms = 1, .max_ms = 10, .seed = 1};
    CHECK_OK(http_send_retry(c.http, &c.arena, &rq, &retry, &c.reply));
    CHECK_INT(c.reply.status, 200);
    CHECK_INT(retry.attempt, 2);
    retry.attempt = 0;
    CHECK_OK(http_send_retry(c.http, &c.arena, &rq, &retry, &c.reply));
    CHECK_INT(c.reply.status, 429); /* an hour is too long */
    CHECK_INT(c.reply.retry_after_ms, 3600000);
    CHECK_ERR(http_status_error(&c.reply, NULL), ERR_NETWORK, "answers 429; try again later");
    retry.attempt = 0;
    CHECK_OK(http_send_retry(c.http, &c.arena, &rq, &retry, &c.reply));
    CHECK_INT(c.reply.status, 400);
    CHECK_INT(retry.attempt, 0);
    server_stop(&s);
    client_stop(&c);
}

static void pauses_double_are_spread_and_bounded(void **state) {
    (void)state;
    HttpRetry r = {.attempts_max = 8, .base_ms = 100, .max_ms = 1000, .seed = 7};
    const int64_t full[] = {100, 200, 400, 800, 1000, 1000, 1000};
    for (unsigned i = 0; i < 7; i++) {
        r.attempt = i + 1;
        int64_t pause = http_retry_pause(&r, -1);
        CHECK(pause >= full[i] / 2 && pause <= full[i]);
        CHECK_INT(pause, http_retry_pause(&r, -1)); /* the same seed, the same pause */
    }
    CHECK_INT(http_retry_pause(&r, 250), 250);
    CHECK_INT(http_retry_pause(&r, 1001), -1);
    r.attempt = 8;
    CHECK_INT(http_retry_pause(&r, -1), -1);
}

static void urls_are_shown_without_their_secrets(void **state) {
    (void)state;
    char out[320], lengthy[600];
    http_url_shown("https://me:pass@host:81/a/b?sig=x#y", out);
    CHECK_STR(str_of(out), "https://host:81/a/b");
    http_url_shown("http://host/a@b", out);
    CHECK_STR(str_of(out), "http://host/a@b");
    http_url_shown("http://a@b@c?x", out);
    CHECK_STR(str_of(out), "http://c");
    http_url_shown("", out);
    CHECK_STR(str_of(out), "");
    memset(lengthy, 'a', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = 0;
    http_url_shown(lengthy, out);
    CHECK_INT(strlen(out), 319);
}

static void an_error_body_becomes_one_line_without_the_secret(void **state) {
    (void)state;
    HttpReply r = {.status = 401, .url = "https://h/x"};
    r.body = STR("{\"error\": {\"message\": \"bad key sk-123\\nnot known\"}}");
    CHECK_ERR(http_status_error(&r, "sk-123"), ERR_NETWORK, "'https://h/x' answers 401: bad key *** not known");
    r.body = STR("{\"error\": \"plain\"}");
    CHECK_ERR(http_status_error(&r, NULL), ERR_NETWORK, "answers 401: plain");
    r.body = STR("{\"detail\": \"told\"}");
    CHECK_ERR(http_status_error(&r, NULL), ERR_NETWORK, "answers 401: told");
    r.body = STR("<html><body>Sign in</body></html>");
    CHECK_ERR(http_status_error(&r, NULL), ERR_NETWORK, "answers 401");
    CHECK(strstr(err_text(), "html") == NULL);
    r.body = STR("");
    CHECK_ERR(http_status_error(&r, NULL), ERR_NETWORK, "answers 401");
}

int main(void) {
    (void)unsetenv("http_proxy"); /* the loopback is not to be asked for through one */
    (void)unsetenv("all_proxy");
    (void)unsetenv("ALL_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_brings_status_headers_and_body),
        cmocka_unit_test(a_post_sends_body_type_and_token),
        cmocka_unit_test(a_token_is_not_sent_to_another_origin),
        cmocka_unit_test(redirects_at_home_keep_the_token_and_have_an_end),
        cmocka_unit_test(a_post_is_never_redirected),
        cmocka_unit_test(a_body_over_the_limit_is_refused_announced_or_not),
        cmocka_unit_test(a_cut_body_and_silence_are_failures_that_may_pass),
        cmocka_unit_test(a_refused_connection_may_pass_and_a_bad_url_does_not),
        cmocka_unit_test(deadline_and_cancel_end_an_exchange),
        cmocka_unit_test(a_sink_gets_good_bodies_only_and_head_may_refuse),
        cmocka_unit_test(what_may_pass_is_tried_again_and_no_more),
        cmocka_unit_test(pauses_double_are_spread_and_bounded),
        cmocka_unit_test(urls_are_shown_without_their_secrets),
        cmocka_unit_test(an_error_body_becomes_one_line_without_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

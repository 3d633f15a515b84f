/* page.c - see page.h. */
#include "serve/page.h"

#include <pthread.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/hash.h"
#include "serve/desk.h"

/* Lines of web/page.html. */
#define STYLE_HERE  "<style></style>"
#define SCRIPT_HERE "<script></script>"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of policy */
static char policy[512];

static void hash_write(const char *text, char out[64]) {
    Buf b = {0};
    const Sha256 sha = sha256_of(str_of(text));
    base64_encode(str_make((const char *)sha.bytes, sizeof sha.bytes), &b);
    (void)snprintf(out, 64, "%s", b.p ? b.p : ""); /* out of memory: a page without style or script */
    buf_free(&b);
}

static void policy_write(void) {
    char style[64], script[64];
    hash_write(page_css, style);
    hash_write(page_js, script);
    (void)snprintf(
        policy, sizeof policy,
        "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        script, style);
}

/* What stands before `place` in the rest of the page, then text in its element. */
static void part_add(Buf *b, Str *rest, const char *place, const char *text) {
    const ptrdiff_t at = str_find(*rest, str_of(place));
    if (at < 0) return; /* a page that lost its place fails its tests */
    const size_t open = (size_t)(strchr(place, '>') - place) + 1;
    buf_add(b, str_upto(*rest, (size_t)at + open));
    buf_add_z(b, text);
    *rest = str_from(*rest, (size_t)at + open);
}

Err op_home(Call *c, JsonOut *j) {
    Str rest = str_of(page_html);
    (void)j;
    (void)pthread_once(&once, policy_write);
    part_add(&c->body, &rest, STYLE_HERE, page_css);
    part_add(&c->body, &rest, SCRIPT_HERE, page_js);
    buf_add(&c->body, rest);
    c->policy = policy;
    return buf_ok(&c->body);
}

/* check.h - what every test includes: cmocka and checks that show both values and the pending error text. */
#ifndef PYTHIA_TESTS_CHECK_H
#define PYTHIA_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

#define CHECK(cond) assert_true(cond)
#define CHECK_INT(got, want)                                                                                           \
    do {                                                                                                               \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                  \
        if (got_ != want_) fail_msg("%s: got %lld, want %lld (last error: %s)", #got, got_, want_, err_text());        \
    } while (0)
#define CHECK_OK(call) CHECK_INT((call), ERR_OK)
#define CHECK_STR(got, want)                                                                                           \
    do {                                                                                                               \
        Str gs_ = (got);                                                                                               \
        const char *ws_ = (want);                                                                                      \
        if (!str_eq(gs_, str_of(ws_))) fail_msg("%s: got \"%.*s\", want \"%s\"", #got, STR_FMT(gs_), ws_);             \
    } while (0)
/* The call fails with this code and its text holds `part`. */
#define CHECK_ERR(call, code, part)                                                                                    \
    do {                                                                                                               \
        CHECK_INT((call), (code));                                                                                     \
        if (!strstr(err_text(), (part))) fail_msg("error text \"%s\" does not hold \"%s\"", err_text(), (part));       \
    } while (0)
#define CHECK_NEAR(got, want, tolerance)                                                                               \
    do {                                                                                                               \
        double gn_ = (double)(got), wn_ = (double)(want), dn_ = gn_ > wn_ ? gn_ - wn_ : wn_ - gn_;                     \
        if (!(dn_ <= (double)(tolerance)))                                                                             \
            fail_msg("%s: got %.9g, want %.9g within %g", #got, gn_, wn_, (double)(tolerance));                        \
    } while (0)

/* A new folder under $TMPDIR; static storage, one a call site at a time. */
static inline const char *check_temp_dir(void) {
    static char path[512];
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%s/pythia-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path)) fail_msg("mkdtemp '%s' failed", path);
    return path;
}

#endif

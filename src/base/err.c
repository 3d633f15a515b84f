/* err.c - see err.h. The text is thread-local and of fixed size, so that telling a failure never fails itself. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local ErrInfo err_last;

static const struct {
    const char *name;
    int exit_code;
} err_table[ERR_COUNT] = {
#define ERR_ROW(name, exit_code, text) [ERR_##name] = {text, exit_code},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

Err err_set(Err code, const char *fmt, ...) {
    /* Formatted aside: an argument may be the old text itself. */
    char text[sizeof err_last.text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err_last.text, text, sizeof text);
    err_last.fix[0] = 0;
    err_last.code = code;
    return code;
}

Err err_fix(Err code, const char *fmt, ...) {
    char fix[sizeof err_last.fix];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(fix, sizeof fix, fmt, args);
    va_end(args);
    memcpy(err_last.fix, fix, sizeof fix);
    return code;
}

Err err_prefix(Err code, const char *fmt, ...) {
    char text[sizeof err_last.text];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text) return code;
    (void)snprintf(text + n, sizeof text - (size_t)n, ": %s", err_last.text);
    memcpy(err_last.text, text, sizeof text);
    return code;
}

const char *err_text(void) { return err_last.text; }
const char *err_fix_text(void) { return err_last.fix; }
const char *err_name(Err code) { return (unsigned)code < ERR_COUNT ? err_table[code].name : "unknown"; }
int err_exit_code(Err code) { return (unsigned)code < ERR_COUNT ? err_table[code].exit_code : 2; }

void err_save(ErrInfo *out, Err code) {
    *out = err_last;
    out->code = code;
}

Err err_restore(const ErrInfo *info) {
    if (info->code) err_last = *info;
    return info->code;
}

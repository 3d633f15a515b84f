/* log.c - see log.h. The level is a relaxed atomic: it is set once at start and read everywhere. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

static atomic_int log_level_now = LOG_WARN;
static atomic_bool log_as_json;

static const char *const log_names[] = {"error", "warn", "info", "debug", "trace"};

void log_set_level(LogLevel level) { atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed); }
LogLevel log_level(void) { return (LogLevel)atomic_load_explicit(&log_level_now, memory_order_relaxed); }
void log_set_json(bool json) { atomic_store_explicit(&log_as_json, json, memory_order_relaxed); }

bool log_level_parse(Str s, LogLevel *out) {
    for (int i = 0; i <= LOG_TRACE; i++)
        if (str_is(s, log_names[i])) return *out = (LogLevel)i, true;
    return false;
}

void log_line(LogLevel level, const char *room, const char *fmt, ...) {
    Buf text = {0}, line = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    for (size_t i = 0; i < text.n; i++) /* one event, one line; no terminal escapes from file names */
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7F) text.p[i] = ' ';
    if (atomic_load_explicit(&log_as_json, memory_order_relaxed)) {
        char when[32];
        clock_iso(clock_wall_ms(), when);
        JsonOut j = jout_to(&line);
        jout_begin(&j, '{');
        jout_kv_z(&j, "time", when);
        jout_kv_z(&j, "level", log_names[level]);
        jout_kv_z(&j, "room", room);
        jout_kv_str(&j, "text", buf_str(&text));
        jout_end(&j, '}');
        buf_char(&line, '\n');
    } else {
        buf_printf(&line, "%s %s: %.*s\n", log_names[level], room, STR_FMT(buf_str(&text)));
    }
    for (size_t at = 0; at < line.n;) { /* a log that cannot be written is no reason to stop */
        ssize_t n = write(STDERR_FILENO, line.p + at, line.n - at);
        if (n <= 0) break;
        at += (size_t)n;
    }
    buf_free(&line);
    buf_free(&text);
}

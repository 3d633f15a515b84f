/* log.h - the log: one line an event on stderr, `level room: text key=value`. Never a document, a query or a key
 * below trace. JSON lines when log_json was asked for (serve). Threads: any; a line is one write. */
#ifndef PYTHIA_BASE_LOG_H
#define PYTHIA_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE } LogLevel;

void log_set_level(LogLevel level); /* default LOG_WARN */
LogLevel log_level(void);
void log_set_json(bool json);
bool log_level_parse(Str s, LogLevel *out);
void log_line(LogLevel level, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define LOG(level, room, ...)                                                                                          \
    do {                                                                                                               \
        if ((level) <= log_level()) log_line((level), (room), __VA_ARGS__);                                            \
    } while (0)

#endif

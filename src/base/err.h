/* err.h - the one way in which a call tells that it failed.
 *
 * A call that can fail returns Err. The first to know writes the text with err_set: lower case, what failed,
 * the object in quotes, no full stop; and, where a command mends it, err_fix. Everybody above passes the code up
 * untouched; cli and serve show it once. The text lives in the thread that failed: carry it to another one with
 * err_save and err_restore.
 *
 * Threads: each thread has its own text. Memory: none is allocated, so ERR_NOMEM can always be told.
 */
#ifndef PYTHIA_BASE_ERR_H
#define PYTHIA_BASE_ERR_H

#include <stddef.h>

#define MUST_USE                     __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

/* X(name, exit code of the process, the "code" that scripts read in JSON). INTERFACE: exit codes. */
#define ERR_LIST(X)                                                                                                    \
    X(OK, 0, "ok")                                                                                                     \
    X(NOTHING, 1, "nothing_found")                                                                                     \
    X(USAGE, 2, "usage")                                                                                               \
    X(IO, 2, "io")                                                                                                     \
    X(NOMEM, 2, "out_of_memory")                                                                                       \
    X(LIMIT, 2, "limit")                                                                                               \
    X(INPUT, 2, "bad_input")                                                                                           \
    X(UNSUPPORTED, 2, "unsupported")                                                                                   \
    X(INTERNAL, 2, "internal")                                                                                         \
    X(NO_COLLECTION, 3, "no_collection")                                                                               \
    X(NO_DOCUMENT, 3, "no_document")                                                                                   \
    X(NO_INDEX, 3, "no_index")                                                                                         \
    X(MODEL_MISMATCH, 4, "model_mismatch")                                                                             \
    X(FORMAT, 4, "format_mismatch")                                                                                    \
    X(CORRUPT, 5, "corrupt")                                                                                           \
    X(BUSY, 6, "busy")                                                                                                 \
    X(NO_MODEL, 7, "model_missing")                                                                                    \
    X(NETWORK, 8, "network")                                                                                           \
    X(PARTIAL, 9, "partial")                                                                                           \
    X(GATE, 10, "gate_failed")                                                                                         \
    X(DEADLINE, 124, "deadline")                                                                                       \
    X(INTERRUPT, 130, "interrupted")

typedef enum {
#define ERR_ENUM(name, exit_code, text) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
} Err;

/* A failure as a value, for carrying between threads. */
typedef struct {
    Err code;
    char text[1024];
    char fix[512];
} ErrInfo;

/* Sets this thread's error text (cut at 1,023 bytes) and clears the fix. Returns code, so that it can be returned. */
Err err_set(Err code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the command that mends the error just set: `return err_fix(err_set(...), "pythia model list");`. */
Err err_fix(Err code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "prefix: " before this thread's error text, where the caller knows the object and the callee did not. */
Err err_prefix(Err code, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *err_text(void);     /* this thread's last text, "" before the first */
const char *err_fix_text(void); /* its mending command, "" when there is none */
const char *err_name(Err code); /* "model_mismatch" */
int err_exit_code(Err code);    /* 4 */
void err_save(ErrInfo *out, Err code);
Err err_restore(const ErrInfo *info);

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        Err try_err_ = (call);                                                                                         \
        if (try_err_) return try_err_;                                                                                 \
    } while (0)

#endif

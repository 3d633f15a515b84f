/* shared.h - one engine for many callers: calls of the command line are answered by a server that runs, through its
 * socket.
 *
 * A server listens on shared_path beside its other doors. A caller that finds it there sends the engine's own requests
 * (parcel.h), with an identity: a hash of the build, the data folder and all configuration that answers depend on. A
 * server of another identity refuses. So what a caller gets is what it would have computed, and it falls back to that
 * whenever the server is not there, does not answer in time, or answers with an error: errors are always told by the
 * caller's own engine.
 *
 * That a server lives is known by `health`, sent before each call and every second while its answer is awaited: the
 * thread that reads the socket answers it, however busy the workers are. The wait is serve.shared_wait.
 *
 * Threads: a Shared is for one.
 */
#ifndef PYTHIA_SERVE_SHARED_H
#define PYTHIA_SERVE_SHARED_H

#include "engine/pythia.h"
#include "serve/parcel.h"

enum { SHARED_IDENTITY = 17 }; /* 16 hex digits and a NUL */

typedef struct Shared Shared;
typedef struct {
    const Config *config; /* all borrowed */
    const char *home, *cwd;
    char **environ;
    const volatile int *cancel; /* set by a signal; may be NULL */
} SharedOpts;

/* Connects. ERR_NETWORK says why not; ERR_INTERRUPT, ERR_NOMEM. Cost: some 0.1 ms. */
MUST_USE Err shared_open(Shared **out, const SharedOpts *opts);
void shared_close(Shared *s);            /* NULL is fine */
const char *shared_who(const Shared *s); /* "the server at '/home/…/pythia.sock' (process 123)" */

/* pythia_search and pythia_embed, in the server. ERR_OK: *out is as they would have filled it. ERR_INTERRUPT,
 * ERR_NOMEM: the caller's own. Everything else is ERR_NETWORK: nothing was answered, err_text says why, and s is of no
 * further use. */
MUST_USE Err shared_search(Shared *s, Arena *a, const PythiaSearch *rq, PythiaReply *out);
/* pythia_ask, of a question without session, turns and tell. */
MUST_USE Err shared_ask(Shared *s, Arena *a, const PythiaAsk *rq, PythiaAnswer *out);
MUST_USE Err shared_embed(Shared *s, Arena *a, const PythiaEmbed *rq, const Str *texts, size_t n, float **out,
                          size_t *dim, int32_t **tokens, bool **truncated);

/* Where a server of this data folder listens: in PYTHIA_HOME, else $XDG_RUNTIME_DIR/pythia, else home. ERR_LIMIT: the
 * path is too long for a socket. */
MUST_USE Err shared_path(Arena *a, char **environ, const char *home, const char **out);
/* Equal in two processes when their engines answer alike. */
MUST_USE Err shared_identity(const Config *config, const char *home, char out[SHARED_IDENTITY]);

/* ---- what travels besides the engine's structs ---- */
typedef struct {
    Str identity, cwd;
} SharedCaller;
typedef struct {
    Str model;
    bool query;
    const Str *texts;
    size_t n;
} SharedTexts;
typedef struct {
    size_t dim;
    Str vectors, tokens, truncated; /* float[n, dim], int32_t[n], bool[n] as bytes */
} SharedVectors;
extern const ParcelShape shared_caller, shared_texts, shared_vectors;

#endif

/* pythia.h - Pythia within a program of your own: search and answers from code and documents, no server, no process.
 *
 *     cc program.c $(pkg-config --cflags --libs pythia)
 *
 * This is the only header; the library exports nothing else. Requests and replies of pythia_call are JSON, as over
 * every other door (docs/serving.md); the calls that matter most have structs.
 *
 * Threads: an engine may be used by any number of threads at once, and merges what they ask. Calls work on the thread
 * that makes them (256 KB of stack will do), so many at a time as serve.workers says; what indexes has threads of its
 * own. Each engine stands for itself. pythia_stop must be the last call. No call may be made in a child after fork, but
 * for exec.
 *
 * Memory: what a call hands out is the caller's, until given to the function that frees it. Where memory runs out a
 * call fails with "out_of_memory"; nothing here ends the process (but see docs/library.md of cutting code).
 *
 * Errors: calls that can fail return 0, or -1 and tell why in *error, where that is not NULL. Strings are UTF-8.
 */
#ifndef PYTHIA_H
#define PYTHIA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYTHIA_API __attribute__((visibility("default")))

typedef struct pythia_engine pythia_engine;

typedef struct {
    char code[32];      /* for programs: "usage", "no_collection", "model_missing", "busy" … */
    char message[1024]; /* what went wrong, with the value at fault */
    char fix[512];      /* the command that mends it; "" where none does */
} pythia_error;

/* All of it may be 0. */
typedef struct {
    const char *home; /* the data folder; NULL: as for the command line (PYTHIA_HOME, XDG_DATA_HOME, HOME) */
    const char
        *folder; /* where relative paths start, and whose collection is searched unless others are named; NULL: the
                         * working folder */
    const char
        *program; /* the installed `pythia`, which reads PDF, office documents and mail, each in a confined process of
                          * its own; NULL: these are skipped */
    const char *const
        *settings; /* "model.embed=NAME" …, NULL at the end: keys of the configuration (pythia config list). They
                                  * are stronger than the environment (PYTHIA_MODEL_EMBED …); files are not read */
} pythia_options;

PYTHIA_API const char *pythia_version(void);

/* Cheap: what is large opens at first use, the embedding model in the background at once. options: NULL: all 0. */
PYTHIA_API int pythia_start(pythia_engine **out, const pythia_options *options, pythia_error *error);
/* Calls that are under way in other threads end with "interrupted". NULL is fine. */
PYTHIA_API void pythia_stop(pythia_engine *engine);

/* ---- putting ---- */
typedef struct {
    const char *id; /* yours; the same again replaces. NULL: the content's own */
    const char *title;
    const char *text;
} pythia_doc;

/* Texts into a collection (NULL: "documents"), made when there is none of that name. They can be found when it
 * returns. */
PYTHIA_API int pythia_put(pythia_engine *engine, const char *collection, const pythia_doc *documents /* [n] */,
                          size_t n, pythia_error *error);

/* ---- finding ---- */
typedef struct {
    const char *id, *uri, *path, *collection;
    const char *symbol, *kind, *lang, *heading; /* NULL: none */
    const char *freshness;                      /* "fresh", "moved", "changed", "gone" */
    const char *content;
    int start_line, end_line, page; /* 0: none */
    double score;                   /* 0 to 1 */
} pythia_hit;

typedef struct {
    const pythia_hit *hits; /* [n] best first */
    size_t n;
    long long total; /* of which hits are the first */
    double took_ms;
} pythia_found;

/* fields: NULL, or a JSON object of what else a search takes: {"mode":"lexical","collections":["docs"]}. limit 0: 10.
 * Nothing found is no error. *out goes to pythia_found_free. */
PYTHIA_API int pythia_find(pythia_engine *engine, const char *query, size_t limit, const char *fields,
                           pythia_found **out, pythia_error *error);
PYTHIA_API void pythia_found_free(pythia_found *found);

/* ---- vectors ---- */
/* *out: [n * *dim] floats of unit length, in the order of the texts; it goes to pythia_free. query: not 0: what is
 * asked, not what is searched; some models want it told. */
PYTHIA_API int pythia_vectors(pythia_engine *engine, const char *const *texts /* [n] */, size_t n, int query,
                              float **out, size_t *dim, pythia_error *error);

/* ---- everything else ---- */
/* A call by its name: "ask", "index", "read", "status" … params: NULL, or a JSON object. *reply is JSON, as over REST,
 * and goes to pythia_free. */
PYTHIA_API int pythia_call(pythia_engine *engine, const char *method, const char *params, char **reply,
                           pythia_error *error);
PYTHIA_API void pythia_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif

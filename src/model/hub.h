/* hub.h - models from a hub that speaks Hugging Face's protocol, kept in the layout of its own cache.
 *
 * The layout is shared with every other program that uses the hub, so a model is on the disk once:
 *
 *   <cache>/models--org--name/blobs/<etag>               the bytes, by content: SHA-256 of large files, git's id of small
 *                             blobs/<etag>.incomplete    a download that was cut, and is resumed
 *                             refs/<revision>            the commit that a branch or tag meant when last asked
 *                             snapshots/<commit>/<file>  links to ../../blobs/<etag>
 *   <cache>/.locks/models--org--name/<etag>.lock         held (flock) by the one who downloads
 *
 * Nothing is believed: a file's length and hash are checked before it is renamed to what it is called by.
 * The token goes to the endpoint's own origin alone, not to the servers it redirects to.
 *
 * Threads: any, each with its own arena; processes meet at the locks.
 */
#ifndef PYTHIA_MODEL_HUB_H
#define PYTHIA_MODEL_HUB_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

/* ORG/NAME[/FILE][@REVISION] */
typedef struct {
    Str repo;     /* "org/name", or "name" of a model without an owner */
    Str file;     /* "" : to be chosen */
    Str revision; /* branch, tag or commit; "main" when not said */
} HubRef;

/* Also takes the address of a model or file as a browser shows it. ERR_USAGE says what is wrong; nothing that passes
 * can leave the cache's folder. */
MUST_USE Err hub_ref_parse(Arena *a, Str text, HubRef *out);

typedef struct {
    const char *file;
    int64_t done, total; /* bytes of all that is to be had; total 0: not known */
    bool waiting;        /* another process is downloading it */
} HubProgress;
typedef void (*HubProgressFn)(void *ctx, const HubProgress *progress); /* may be called very often */

typedef struct {
    const char *endpoint;           /* "https://huggingface.co" */
    const char *cache;              /* "$HF_HOME/hub" */
    const char *token;              /* NULL: none */
    bool offline;                   /* only what lies in the cache */
    int64_t connect_ms, stall_ms;   /* 0: http.h's */
    unsigned attempts;              /* without progress; 0: 5 */
    int64_t pause_ms, pause_max_ms; /* between attempts; 0: 500 and 60,000 */
    uint64_t seed;                  /* of the jitter */
    const Deadline *deadline;
    HubProgressFn progress; /* NULL: none */
    void *progress_ctx;
} HubOpts;

typedef struct {
    bool folder;      /* a Hugging Face folder (for model_import), else a GGUF file */
    const char *path; /* in the snapshot */
    const char *commit;
    bool has_sha256; /* of the GGUF, as just checked or as its blob is named */
    Sha256 sha256;
    int64_t fetched, resumed; /* bytes that came now, and that lay there already from a cut download */
} HubPulled;

/* Brings the file, or without one what the repository has: its only GGUF, else the folder of safetensors. What is in
 * the cache is not fetched again. Errors: ERR_NO_MODEL (no such repository, revision or file; offline and not in the
 * cache), ERR_USAGE (several GGUF files: lists them), ERR_UNSUPPORTED (neither form), ERR_NETWORK, ERR_CORRUPT (wrong
 * length or hash, after a second try where the first was resumed), ERR_IO, ERR_DEADLINE, ERR_INTERRUPT: what has come
 * is kept and resumed. */
MUST_USE Err hub_pull(Arena *a, const HubOpts *o, const HubRef *ref, HubPulled *out);

#endif

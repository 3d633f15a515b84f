/* hub_file.h - one file of a repository, from the hub into the cache; between hub.c and hub_file.c. */
#ifndef PYTHIA_MODEL_HUB_FILE_H
#define PYTHIA_MODEL_HUB_FILE_H

#include "base/http.h"
#include "model/hub.h"

/* One pull's state. */
typedef struct {
    const HubOpts *o;
    const HubRef *ref;
    Arena *a;
    Http *http;
    const char *repo_dir; /* <cache>/models--org--name */
    const char *lock_dir;
    const char *commit; /* 40 hex digits; NULL: not known yet */
    HubPulled *out;
    int64_t done, total; /* for progress */
} HubPull;

/* <endpoint>/<prefix><repo><middle><revision><slash><file>, each part escaped. */
MUST_USE Err hub_url(HubPull *p, const char *prefix, const char *middle, Str revision, Str file, const char **out);

/* A request with the pull's token, times and deadline. */
HttpRequest hub_request(const HubPull *p, const char *method, const char *url);
HttpRetry hub_retry(const HubPull *p);

/* What the hub says no with: ERR_NO_MODEL when repository, revision or file are not there, else ERR_NETWORK. */
MUST_USE Err hub_refusal(const HubPull *p, const HttpReply *reply, Str file);

/* <repo_dir>/snapshots/<commit>/<file> */
MUST_USE Err hub_snapshot_path(const HubPull *p, Str file, const char **out);

/* Has file in the snapshot: found there, linked to a blob that is, or fetched. *path: in the snapshot. p->commit is set
 * from the reply when it was not known. */
MUST_USE Err hub_file_get(HubPull *p, Str file, const char **path);

/* True for n hex digits. */
bool hub_is_hex(Str s, size_t n);

#endif

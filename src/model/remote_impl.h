/* remote_impl.h - what stands behind Remote; private to the room (remote.c opens and embeds, remote_rank.c ranks). */
#ifndef PYTHIA_MODEL_REMOTE_IMPL_H
#define PYTHIA_MODEL_REMOTE_IMPL_H

#include <pthread.h>

#include "base/http.h"
#include "model/gguf.h"
#include "model/remote.h"
#include "model/tok.h"

enum { REMOTE_CONNECTIONS = 16 }; /* kept; more are opened and closed again */

struct Remote {
    const char *url, *model, *key, *key_env; /* in the Model's arena */
    ModelRemoteOpts opts;
    Gguf *vocabulary; /* of the tokenizer; NULL: tokens are estimated */
    Tok *tok;
    pthread_mutex_t lock; /* guards idle, n_idle */
    Http *idle[REMOTE_CONNECTIONS];
    size_t n_idle;
};

/* One request, tried again where a failure may pass. ERR_OK whatever the status. salt: varies the pauses. */
MUST_USE Err remote_post(Remote *r, Arena *a, Str body, const Deadline *deadline, uint64_t salt, HttpReply *reply);
/* ERR_NETWORK with the command that mends it unless the status is 200. */
MUST_USE Err remote_accept(const Remote *r, const HttpReply *reply);
/* Of the configuration, that names the service. */
const char *remote_section(const Remote *r);

#endif

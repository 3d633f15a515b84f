/* http_lookout.c - connections whose client may leave while its call is under way.
 *
 * A suspended connection is not read by the library, so nobody else would notice. One thread looks at those that are
 * watched, LOOK_MS apart; there is none before the first. A client that has closed its half of the line counts as gone,
 * as with Go's net/http: who needs that told apart is not watched.
 *
 * Lock order: HttpLookout.lock, then whatever Watched.left takes.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/pool.h"
#include "serve/http_impl.h"

enum { LOOK_MS = 100 };

struct HttpLookout {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t end;
    bool closing;
    Thread *thread;
    Watched *first;
    struct pollfd *fds; /* [max] */
    size_t n, max;
};

Err lookout_open(HttpLookout **out) {
    HttpLookout *w = *out = calloc(1, sizeof *w);
    if (!w) return err_set(ERR_NOMEM, "out of memory for the HTTP server");
    pthread_condattr_t steady;
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->end, &steady);
    (void)pthread_condattr_destroy(&steady);
    (void)pthread_mutex_init(&w->lock, NULL);
    return ERR_OK;
}

/* The lock is held. Nobody is told twice. */
static void look(HttpLookout *w) {
    size_t n = 0;
    if (w->n > w->max) {
        struct pollfd *more = realloc(w->fds, 2 * w->n * sizeof *more);
        if (!more) return; /* at the next look */
        w->fds = more;
        w->max = 2 * w->n;
    }
    for (const Watched *x = w->first; x; x = x->next)
        w->fds[n++] = (struct pollfd){.fd = x->gone ? -1 : x->fd, .events = POLLRDHUP};
    if (poll(w->fds, (nfds_t)n, 0) <= 0) return;
    n = 0;
    for (Watched *x = w->first; x; x = x->next)
        if (w->fds[n++].revents) {
            x->gone = true;
            x->left(x);
        }
}

static Err lookout_body(void *ctx) {
    HttpLookout *w = ctx;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        const int64_t until_ns = clock_mono_ns() + LOOK_MS * (int64_t)1000000;
        const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                       .tv_nsec = (long)(until_ns % 1000000000)};
        if (pthread_cond_timedwait(&w->end, &w->lock, &until) == ETIMEDOUT && w->first) look(w);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return ERR_OK;
}

void lookout_add(HttpLookout *w, Watched *x) {
    (void)pthread_mutex_lock(&w->lock);
    Err err = w->thread ? ERR_OK : thread_start(&w->thread, lookout_body, w);
    x->before = NULL;
    x->next = w->first;
    if (w->first) w->first->before = x;
    w->first = x;
    w->n++;
    (void)pthread_mutex_unlock(&w->lock);
    if (err) LOG(LOG_WARN, "serve", "clients that leave are not noticed: %s", err_text());
}

void lookout_remove(HttpLookout *w, Watched *x) {
    (void)pthread_mutex_lock(&w->lock);
    if (x->next) x->next->before = x->before;
    if (x->before)
        x->before->next = x->next;
    else
        w->first = x->next;
    w->n--;
    (void)pthread_mutex_unlock(&w->lock);
}

void lookout_close(HttpLookout *w) {
    if (!w) return;
    (void)pthread_mutex_lock(&w->lock);
    w->closing = true;
    (void)pthread_cond_signal(&w->end);
    (void)pthread_mutex_unlock(&w->lock);
    Err err = thread_join(w->thread);
    (void)err; /* its body gives none */
    (void)pthread_cond_destroy(&w->end);
    (void)pthread_mutex_destroy(&w->lock);
    free(w->fds);
    free(w);
}

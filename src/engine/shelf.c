/* shelf.c - see shelf.h. */
#include "engine/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"

struct ShelfItem {
    void *thing;
    void (*close)(void *thing);
    size_t holders;
    bool shelved;     /* false: it goes with its last holder */
    int64_t given_ns; /* when it was last taken or given back */
    Str name, version;
    ShelfItem *next; /* of those that are to be closed */
};

struct Shelf {
    pthread_mutex_t lock; /* guards all below, and the items but for thing and close */
    ShelfItem *items[SHELF_MOST];
    size_t n;
};

Err shelf_open(Shelf **out) {
    *out = calloc(1, sizeof **out);
    if (!*out) return err_set(ERR_NOMEM, "out of memory: cannot keep indexes open");
    (void)pthread_mutex_init(&(*out)->lock, NULL);
    return ERR_OK;
}

static void item_close(ShelfItem *item) {
    if (item->thing) item->close(item->thing);
    free(item);
}

static void all_close(ShelfItem *item) {
    while (item) {
        ShelfItem *next = item->next;
        item_close(item);
        item = next;
    }
}

void shelf_close(Shelf *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n; i++) item_close(s->items[i]);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Off the shelf; onto *closing when nobody holds it. */
static void item_drop(Shelf *s, size_t at, ShelfItem **closing) {
    ShelfItem *item = s->items[at];
    s->items[at] = s->items[--s->n];
    item->shelved = false;
    if (item->holders) return;
    item->next = *closing;
    *closing = item;
}

static void idle_drop(Shelf *s, int64_t now, ShelfItem **closing) {
    for (size_t i = s->n; i-- > 0;)
        if (!s->items[i]->holders && now - s->items[i]->given_ns > SHELF_IDLE_MS * (int64_t)1000000)
            item_drop(s, i, closing);
}

static ShelfItem *item_find(Shelf *s, Str name, Str version, int64_t now) {
    for (size_t i = 0; i < s->n; i++) {
        ShelfItem *item = s->items[i];
        if (!str_eq(item->name, name) || !str_eq(item->version, version)) continue;
        item->holders++;
        item->given_ns = now;
        return item;
    }
    return NULL;
}

/* Room for one of this name: what has another version goes, else, on a full shelf, the longest unused. */
static void room_make(Shelf *s, Str name, ShelfItem **closing) {
    size_t oldest = SHELF_MOST;
    for (size_t i = s->n; i-- > 0;)
        if (str_eq(s->items[i]->name, name)) item_drop(s, i, closing);
    if (s->n < SHELF_MOST) return;
    for (size_t i = 0; i < s->n; i++)
        if (!s->items[i]->holders && (oldest == SHELF_MOST || s->items[i]->given_ns < s->items[oldest]->given_ns))
            oldest = i;
    if (oldest < SHELF_MOST) item_drop(s, oldest, closing);
}

static Err item_make(Str name, Str version, const ShelfMaker *make, void *ctx, ShelfItem **out) {
    ShelfItem *item = calloc(1, sizeof *item + name.n + version.n);
    *out = NULL;
    if (!item) return err_set(ERR_NOMEM, "out of memory: cannot keep an index open");
    char *text = (char *)(item + 1);
    if (name.n) memcpy(text, name.p, name.n);
    if (version.n) memcpy(text + name.n, version.p, version.n);
    item->name = str_make(text, name.n);
    item->version = str_make(text + name.n, version.n);
    item->close = make->close;
    item->holders = 1;
    const Err err = make->open(ctx, &item->thing);
    if (err)
        free(item);
    else
        *out = item;
    return err;
}

Err shelf_take(Shelf *s, Str name, Str version, const ShelfMaker *make, void *ctx, ShelfItem **out) {
    ShelfItem *closing = NULL, *made = NULL;
    const int64_t now = clock_mono_ns();
    (void)pthread_mutex_lock(&s->lock);
    idle_drop(s, now, &closing);
    *out = item_find(s, name, version, now);
    (void)pthread_mutex_unlock(&s->lock);
    all_close(closing);
    if (*out) return ERR_OK;

    TRY(item_make(name, version, make, ctx, &made));
    closing = NULL;
    (void)pthread_mutex_lock(&s->lock);
    *out = item_find(s, name, version, now); /* somebody else may have opened it meanwhile */
    if (!*out) {
        room_make(s, name, &closing);
        made->given_ns = now;
        made->shelved = s->n < SHELF_MOST;
        if (made->shelved) s->items[s->n++] = made;
        *out = made;
        made = NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (made) item_close(made);
    all_close(closing);
    return ERR_OK;
}

void *shelf_thing(const ShelfItem *item) { return item->thing; }

void shelf_give(Shelf *s, ShelfItem *item) {
    if (!item) return;
    const int64_t now = clock_mono_ns();
    (void)pthread_mutex_lock(&s->lock);
    item->given_ns = now;
    const bool last = --item->holders == 0 && !item->shelved;
    (void)pthread_mutex_unlock(&s->lock);
    if (last) item_close(item);
}

void shelf_forget(Shelf *s, Str prefix) {
    ShelfItem *closing = NULL;
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = s->n; i-- > 0;)
        if (str_starts(s->items[i]->name, prefix)) item_drop(s, i, &closing);
    (void)pthread_mutex_unlock(&s->lock);
    all_close(closing);
}

/* Sums, so that the order in which a folder is read is nothing to it. */
static void stamp_add(uint64_t *sum, const char *name, const struct stat *st) {
    const int64_t of[] = {(int64_t)st->st_dev, (int64_t)st->st_ino, (int64_t)st->st_size, (int64_t)st->st_mtim.tv_sec,
                          (int64_t)st->st_mtim.tv_nsec};
    *sum += xxh3_seeded(str_make((const char *)of, sizeof of), xxh3_of(str_of(name)));
}

Err shelf_stamp(const char *dir, uint64_t *out) {
    *out = 0;
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT) return ERR_OK;
    if (!d) return err_set(ERR_IO, "cannot read folder '%s': %s", dir, strerror(errno));
    for (const struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) stamp_add(out, e->d_name, &st);
    }
    (void)closedir(d);
    return ERR_OK;
}

/* managed.c - documents that no file has: texts put by a program, kept in the store.
 *
 * A managed collection has no root; its documents are called by the ids that their makers gave them and have the URI
 * "api:<id>", or "upload://sha256:<hash>" where none was given. Their text is kept. One transaction a call for rows and
 * words, then vectors as after any `index`; a kill between leaves them pending, and the next call finishes them.
 */
#include <stdio.h>

#include "engine/managed_job.h"

enum { ADD_TEXT_MAX = 64 << 20 };

static Err add_one(ManagedJob *j, const AddDocument *d, AddReport *out) {
    Arena scratch = {0};
    DocChunks made = {0};
    char hex[65];
    Doc doc = {.text = d->text,
               .title = d->title,
               .meta = d->meta,
               .lang = STR("text"),
               .sha256 = sha256_of(d->text),
               .size = (int64_t)d->text.n,
               .mtime_ns = clock_wall_ms() * 1000000};
    hex_write(doc.sha256.bytes, sizeof doc.sha256.bytes, hex);
    doc.uri = d->id.n ? arena_printf(&scratch, "api:%.*s", (int)d->id.n, d->id.p)
                      : arena_printf(&scratch, "upload://sha256:%s", hex);
    doc.path = d->id.n ? d->id : arena_printf(&scratch, "%s", hex);
    Err err = doc.uri.p && doc.path.p ? managed_cut(j, &scratch, &doc, &made) : arena_error();
    if (!err) err = managed_put(j, &doc, &made);
    out->chunks += (int64_t)made.n;
    arena_free(&scratch);
    return err;
}

static Err add_all(ManagedJob *j, const AddDocument *docs, size_t n, AddReport *out) {
    EmbedReport embed;
    Err err = ERR_OK;
    TRY(managed_begin(j, false));
    TRY(store_begin(j->store));
    for (size_t i = 0; !err && i < n; i++) err = add_one(j, &docs[i], out);
    TRY(words_commit(j->words, err));
    TRY(managed_settle(j, &embed));
    out->tokens = embed.tokens;
    return ERR_OK;
}

Err pythia_add(Pythia *p, Arena *a, Str collection, const AddDocument *docs, size_t n, AddReport *out) {
    ManagedJob j;
    *out = (AddReport){.documents = (int64_t)n};
    for (size_t i = 0; i < n; i++)
        if (docs[i].text.n > ADD_TEXT_MAX)
            return err_set(ERR_LIMIT, "document %zu has %zu bytes; at most %d are taken", i, docs[i].text.n,
                           ADD_TEXT_MAX);
    TRY(managed_find(&j, p, a, collection, true));
    return managed_end(&j, add_all(&j, docs, n, out), 0);
}

static Err remove_one(ManagedJob *j, int64_t doc) {
    TRY(managed_begin(j, false));
    TRY(store_begin(j->store));
    TRY(words_commit(j->words, managed_remove(j, doc)));
    return managed_settle(j, NULL);
}

Err pythia_document_remove(Pythia *p, Arena *a, Str collection, Str path) {
    ManagedJob j = {.p = p, .a = a, .lock_fd = -1};
    StoreDoc d;
    TRY(engine_store(p, true, &j.store));
    TRY(store_collection(j.store, a, collection, &j.c));
    if (j.c.root.n)
        return err_set(ERR_INPUT, "collection '%.*s' is made of the folder '%.*s': remove the file, then index",
                       STR_FMT(collection), STR_FMT(j.c.root));
    TRY(managed_document(j.store, a, j.c.id, path, &d));
    return managed_end(&j, remove_one(&j, d.id), 0);
}

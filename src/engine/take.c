/* take.c - from files to rows and words: the long part of an indexing run, in one or two passes over the same pipeline.
 *
 *     lots of files are read, cut and analysed on all cores ──▶ one thread writes them, a batch a transaction
 *
 * While a batch is written the next ones are read, so that neither waits for the other, nor for the disk. Memory is
 * bounded by the files and the bytes of a batch, of which a pass has a few (Pass.batches) that go round in a ring. A
 * lot is some neighbouring files that one worker takes: it has one arena and one batch of words (index/lex.h), whose
 * terms the writer looks up once. What is in a lot, and the order of writing, follow from the files alone: any number
 * of threads gives the same index.
 *
 * The pass that counts cuts by syntax tree and by the model's own tokens: some 3 MB a second and core. Where many files
 * are new a first one goes before it and skims them (chunk_skim): 30 MB a second and core, so that their words can be
 * found seconds after the tree was first seen. It leaves documents that say so (DOC_SKIMMED), and the second pass, of
 * this run or after a kill of the next, puts each again as if it had never been there. (docs/adr/0013)
 */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "chunk/chunk.h"
#include "engine/index_job.h"
#include "ingest/read.h"

enum { BATCHES_MAX = 4 };

/* A file on its way. */
typedef struct {
    Found *found;
    Doc doc;
    Str skip;    /* reason, "" none */
    bool failed; /* unreadable: skip tells why */
    bool cut_up; /* chunks and words are there */
    DocChunks cut;
    uint32_t words; /* place of its first chunk in the lot's words */
} Taken;

typedef struct {
    Arena arena;
    LexBatch *words;
    size_t first, end; /* of the batch's files */
} Lot;

typedef struct Pass Pass;
struct Pass {
    const char *stage;   /* for those who watch, and in the run's row */
    size_t batches;      /* at most BATCHES_MAX that are there at a time; a kill costs them at most */
    size_t files, bytes; /* of a batch: what is more begins the next one */
    size_t lot_files, lot_bytes;
    size_t tidy; /* batches after which segments of words are joined */
    Err (*read)(IndexJob *j, Arena *a, Taken *t);
    bool (*wants)(const IndexJob *j, const Taken *t); /* it shall be cut, as far as reading can tell */
    Err (*cut)(IndexJob *j, Arena *a, Taken *t);
    Err (*write)(IndexJob *j, Lot *lot, Taken *t);
};

typedef struct Taking Taking;
typedef struct {
    Taking *taking;
    Taken *files; /* [pass->files] */
    Lot *lots;    /* [pass->files] */
    size_t n, n_lots;
} Batch;

struct Taking {
    IndexJob *job;
    const Pass *pass;
    Found **list;
    size_t n, next; /* files; the first that is in no batch yet */
    size_t done;
    int64_t waited_ns, wrote_ns; /* of the thread that writes: for files to be read; for itself */
    Pool *pool;
    Analyzer **analyzers; /* [pool_size], one a worker */
    Batch batches[BATCHES_MAX];
    Queue *empty, *full; /* batches to be read into; to be written. Each has room for all */
    Thread *reader;
};

/* ---- reading: any thread ---- */

/* A failure that is about this file becomes its reason; one about the machine ends the run. */
static Err keep_reason(Arena *a, Taken *t, Err err) {
    if (err != ERR_IO && err != ERR_INPUT && err != ERR_LIMIT && err != ERR_UNSUPPORTED && err != ERR_CORRUPT)
        return err;
    t->failed = true;
    t->skip = arena_str(a, str_of(err_text()));
    return t->skip.p ? ERR_OK : arena_error();
}

static Err file_take(const Taking *k, Lot *lot, Analyzer *a, Taken *t) {
    IndexJob *j = k->job;
    Err err = k->pass->read(j, &lot->arena, t);
    if (err) return keep_reason(&lot->arena, t, err);
    if (t->skip.n || !k->pass->wants(j, t)) return ERR_OK;
    err = k->pass->cut(j, &lot->arena, t);
    if (err) return keep_reason(&lot->arena, t, err);
    t->words = lex_batch_size(lot->words);
    t->cut_up = true;
    return words_gather(lot->words, a, &t->doc, t->cut.chunks, t->cut.n);
}

static Err lot_take(void *ctx, size_t i, size_t worker) {
    Batch *b = ctx;
    Lot *lot = &b->lots[i];
    for (size_t f = lot->first; f < lot->end; f++) {
        TRY(deadline_check(&b->taking->job->stop));
        TRY(file_take(b->taking, lot, b->taking->analyzers[worker], &b->files[f]));
    }
    return ERR_OK;
}

/* ---- batches ---- */

/* A lot of the batch from file `first` on. */
static Err lot_begin(Batch *b, size_t first) {
    Lot *lot = &b->lots[b->n_lots++];
    if (!lot->words) TRY(lex_batch_open(&lot->words));
    lot->first = lot->end = first;
    return ERR_OK;
}

/* The next files, as many as a batch takes; n 0: there are none left. */
static Err batch_fill(Batch *b) {
    Taking *k = b->taking;
    size_t bytes = 0, lot_bytes = 0;
    b->n = b->n_lots = 0;
    for (; k->next < k->n && b->n < k->pass->files && bytes < k->pass->bytes; k->next++) {
        Found *found = k->list[k->next];
        Lot *lot = b->n_lots ? &b->lots[b->n_lots - 1] : NULL;
        if (!lot || lot->end - lot->first == k->pass->lot_files || lot_bytes >= k->pass->lot_bytes) {
            TRY(lot_begin(b, b->n));
            lot = &b->lots[b->n_lots - 1];
            lot_bytes = 0;
        }
        b->files[b->n++] = (Taken){.found = found};
        lot->end = b->n;
        lot_bytes += (size_t)found->info.size;
        bytes += (size_t)found->info.size;
    }
    return ERR_OK;
}

/* On a thread of its own: reads into what is empty, until there is nothing left or whoever writes gives no more. */
static Err batches_read(void *ctx) {
    Taking *k = ctx;
    Err err = ERR_OK;
    void *item;
    while (!err && queue_pop(k->empty, &item)) {
        Batch *b = item;
        err = batch_fill(b);
        if (!err && b->n == 0) break;
        if (!err) err = pool_for(k->pool, b->n_lots, lot_take, b);
        if (!err && !queue_push(k->full, b)) break;
    }
    queue_close(k->full);
    return err;
}

static Err files_write(const Taking *k, Batch *b) {
    for (size_t i = 0; i < b->n_lots; i++)
        for (size_t f = b->lots[i].first; f < b->lots[i].end; f++)
            TRY(k->pass->write(k->job, &b->lots[i], &b->files[f]));
    return ERR_OK;
}

/* What was written is given back at once. Kept for the next files, each lot's place would in the end hold what its
 * largest ever took: 95 MB of the heap, on Go's standard library. */
static void batch_empty(Batch *b) {
    for (size_t i = 0; i < b->n_lots; i++) {
        lex_batch_clear(b->lots[i].words);
        arena_free(&b->lots[i].arena);
    }
}

static Err batch_write(Taking *k, Batch *b, size_t number) {
    IndexJob *j = k->job;
    j->now_ms = clock_wall_ms();
    k->done += b->n;
    TRY(store_begin(j->store));
    Err err = files_write(k, b);
    batch_empty(b);
    if (!err)
        err = store_run_beat(j->store, j->report->run, str_of(k->pass->stage), (int64_t)k->done, (int64_t)k->n,
                             j->now_ms);
    TRY(words_commit(j->words, err));
    /* Trees and texts of all sizes come and go on several threads: without this a third more memory is held than
     * used. */
    sys_memory_trim();
    if ((number + 1) % k->pass->tidy == 0) TRY(words_tidy(j->words, false));
    index_progress(j, k->pass->stage, (int64_t)k->done, (int64_t)k->n, false);
    return ERR_OK;
}

/* The reader is told to stop whatever happened. */
static Err batches_write(Taking *k) {
    Err err = ERR_OK;
    for (size_t number = 0; !err; number++) {
        void *item;
        const int64_t start = clock_mono_ns();
        if (!queue_pop(k->full, &item)) break;
        const int64_t begun = clock_mono_ns();
        err = batch_write(k, item, number);
        k->waited_ns += begun - start;
        k->wrote_ns += clock_mono_ns() - begun;
        if (!err && !queue_push(k->empty, item)) break;
    }
    queue_close(k->empty);
    return err;
}

static Err taking_open(Taking *k) {
    Arena *a = &k->job->scratch;
    TRY(engine_pool(k->job->p, &k->pool));
    k->analyzers = arena_array(a, Analyzer *, pool_size(k->pool));
    if (!k->analyzers) return arena_error();
    for (size_t w = 0; w < pool_size(k->pool); w++) TRY(analyzer_open(&k->analyzers[w]));
    TRY(queue_open(&k->empty, k->pass->batches));
    TRY(queue_open(&k->full, k->pass->batches));
    for (size_t i = 0; i < k->pass->batches; i++) {
        Batch *b = &k->batches[i];
        b->taking = k;
        b->files = arena_array(a, Taken, k->pass->files);
        b->lots = arena_array(a, Lot, k->pass->files);
        if (!b->files || !b->lots) return arena_error();
        (void)queue_push(k->empty, b);
    }
    return thread_start(&k->reader, batches_read, k);
}

static void taking_close(Taking *k) {
    for (size_t w = 0; k->analyzers && w < pool_size(k->pool); w++) analyzer_close(k->analyzers[w]);
    queue_free(k->empty);
    queue_free(k->full);
    for (size_t i = 0; i < k->pass->batches; i++)
        for (size_t l = 0; k->batches[i].lots && l < k->pass->files; l++) {
            lex_batch_close(k->batches[i].lots[l].words);
            arena_free(&k->batches[i].lots[l].arena);
        }
}

/* The thread that reads is waited for whatever happened; the failure that came first is told. */
static Err take(IndexJob *j, const Pass *pass, Found **list, size_t n) {
    ErrInfo told = {0};
    Taking k = {.job = j, .pass = pass, .list = list, .n = n};
    Err err = taking_open(&k);
    if (!err) err = batches_write(&k);
    if (err) err_save(&told, err);
    const Err read = thread_join(k.reader);
    if (read && !err) err_save(&told, err = read);
    taking_close(&k);
    LOG(LOG_DEBUG, "engine", "take stage=%s files=%zu waited=%.3f wrote=%.3f", pass->stage, k.done,
        (double)k.waited_ns * 1e-9, (double)k.wrote_ns * 1e-9);
    return err ? err_restore(&told) : ERR_OK;
}

/* ---- the pass that counts ---- */

/* Unlike the rest of Known, `vanished` changes while files are read: only the writer looks at it. */
static Known *same_content(IndexJob *j, const Sha256 *sha) {
    uint64_t *at = map_get(&j->vanished, str_make((const char *)sha->bytes, sizeof *sha));
    return at ? (Known *)(uintptr_t)*at : NULL;
}

Known *index_vanished_twin(IndexJob *j, const Sha256 *sha) {
    Known *k = same_content(j, sha);
    return k && k->vanished ? k : NULL;
}

static bool is_same(const Taken *t) {
    const Known *k = t->found->known;
    return k && k->state == DOC_ACTIVE && k->cut == DOC_CUT &&
           memcmp(&k->sha256, &t->doc.sha256, sizeof t->doc.sha256) == 0;
}

static Err whole_read(IndexJob *j, Arena *a, Taken *t) {
    const ReadOpts opts = engine_read_opts(j->p, &j->settings, &j->stop);
    return doc_read(a, j->root, t->found->path, &opts, &t->doc, &t->skip);
}

/* Not what has the same content, or is another name of it. */
static bool whole_wants(const IndexJob *j, const Taken *t) {
    return j->redo || (!is_same(t) && (t->found->known || !same_content((IndexJob *)(uintptr_t)j, &t->doc.sha256)));
}

static Err whole_cut(IndexJob *j, Arena *a, Taken *t) {
    const ChunkOpts opts = {
        .max_tokens = (size_t)j->settings.max_tokens, .count_tokens = j->count_tokens, .count_ctx = j->count_ctx};
    return chunk_doc(a, &t->doc, &opts, &t->cut);
}

static Err skipped_write(IndexJob *j, Arena *a, Taken *t) {
    IndexReport *rep = j->report;
    Doc doc = t->doc;
    doc.path = t->found->path;
    doc.size = t->found->info.size;
    doc.mtime_ns = t->found->info.mtime_ns;
    if (!doc.uri.p) {
        const char *path = arena_cstr(a, doc.path);
        const char *full = path ? path_join(a, j->root, path) : NULL;
        if (!full) return arena_error();
        doc.uri = uri_of_path(a, full);
    }
    if (t->failed) {
        rep->failed++;
        TRY(reason_add(j->out, &rep->failures, &rep->n_failures, doc.path, t->skip));
    } else
        rep->skipped++;
    StoreChange change;
    TRY(store_put_skipped(j->store, j->c.id, &doc, t->failed ? DOC_FAILED : DOC_SKIPPED, t->skip, j->now_ms, &change));
    return words_follow(j->words, &change, &doc, NULL);
}

static Err put(IndexJob *j, Lot *lot, Taken *t, DocCut cut) {
    StoreChange change;
    const StorePut row = {.collection = j->c.id,
                          .doc = &t->doc,
                          .inode = t->found->info.inode,
                          .chunks = t->cut.chunks,
                          .n_chunks = t->cut.n,
                          .symbols = t->cut.symbols,
                          .n_symbols = t->cut.n_symbols,
                          .references = t->cut.references,
                          .n_references = t->cut.n_references,
                          .cut = cut,
                          .keep_text = t->doc.extracted,
                          .now_ms = j->now_ms};
    TRY(store_put(j->store, &row, &change));
    return t->cut_up ? words_follow_batch(j->words, &change, lot->words, t->words)
                     : words_follow(j->words, &change, &t->doc, t->cut.chunks);
}

static Err whole_write(IndexJob *j, Lot *lot, Taken *t) {
    Known *known = t->found->known, *twin = NULL;
    IndexReport *rep = j->report;
    const uint64_t inode = t->found->info.inode;
    if (t->failed || t->skip.n) return skipped_write(j, &lot->arena, t);
    if (is_same(t) && !j->redo) {
        rep->unchanged++;
        return store_touch(j->store, known->id, t->doc.mtime_ns, inode);
    }
    if (!known && !j->redo && (twin = index_vanished_twin(j, &t->doc.sha256))) {
        StoreChange change;
        twin->vanished = false;
        j->n_vanished--;
        rep->renamed++;
        TRY(store_rename(j->store, twin->id, &t->doc, inode, &change));
        return words_follow(j->words, &change, &t->doc, NULL);
    }
    /* Two new files of one content, and one vanished: the second finds its twin taken, and was not cut yet. */
    if (!t->cut_up) TRY(whole_cut(j, &lot->arena, t));
    TRY(put(j, lot, t, DOC_CUT));
    if (known && known->cut != DOC_SKIMMED)
        rep->changed++;
    else
        rep->added++;
    rep->chunks += (int64_t)t->cut.n;
    rep->text_bytes += (int64_t)t->doc.text.n;
    return ERR_OK;
}

static const Pass pass_whole = {.stage = "read",
                                .batches = 2,
                                .files = 128,
                                .bytes = 2 << 20,
                                .lot_files = 16,
                                .lot_bytes = 32 << 10,
                                .tidy = 1,
                                .read = whole_read,
                                .wants = whole_wants,
                                .cut = whole_cut,
                                .write = whole_write};

/* ---- the pass that skims ---- */

/* Documents whose readers take a process each are left to the other pass. */
static Err skim_read(IndexJob *j, Arena *a, Taken *t) {
    ReadOpts opts = engine_read_opts(j->p, &j->settings, &j->stop);
    opts.text_only = true;
    return doc_read(a, j->root, t->found->path, &opts, &t->doc, &t->skip);
}

/* What may be a file's new name is left to the other pass, which keeps its chunks and vectors. */
static bool skim_wants(const IndexJob *j, const Taken *t) {
    return !same_content((IndexJob *)(uintptr_t)j, &t->doc.sha256);
}

static Err skim_cut(IndexJob *j, Arena *a, Taken *t) {
    (void)j;
    return chunk_skim(a, &t->doc, &t->cut);
}

/* What cannot be read, or is left out, the other pass tells. */
static Err skim_write(IndexJob *j, Lot *lot, Taken *t) {
    return t->cut_up && !t->failed ? put(j, lot, t, DOC_SKIMMED) : ERR_OK;
}

/* Large lots: of a lot each distinct term is looked up once by whoever writes. No joining of segments, which costs more
 * than they cost a search. */
static const Pass pass_skim = {.stage = "skim",
                               .batches = 4,
                               .files = 1024,
                               .bytes = 8 << 20,
                               .lot_files = 64,
                               .lot_bytes = 256 << 10,
                               .tidy = 128,
                               .read = skim_read,
                               .wants = skim_wants,
                               .cut = skim_cut,
                               .write = skim_write};

/* ---- both ---- */

static void searchable(IndexJob *j) {
    j->report->searchable_seconds = (double)(clock_mono_ns() - j->start_ns) * 1e-9;
    if (j->rq->searchable) j->rq->searchable(j->rq->progress_ctx);
}

Err index_take(IndexJob *j) {
    const int64_t least = config_int(j->p->opts.config, CONF_INDEX_SKIM_FROM);
    const int64_t least_table = config_int(j->p->opts.config, CONF_INDEX_STATIC_FROM);
    int64_t bytes = 0;
    size_t n = 0;
    Found **fresh = arena_array(&j->scratch, Found *, j->n_todo);
    if (!fresh) return arena_error();
    for (size_t i = 0; i < j->n_todo; i++) {
        if (j->todo[i]->known) continue;
        bytes += j->todo[i]->info.size < j->settings.max_file_size ? j->todo[i]->info.size : 0;
        fresh[n++] = j->todo[i];
    }
    const bool skims = n > 0 && least > 0 && bytes >= least;
    const bool wants_table = least_table > 0 && bytes >= least_table;
    if (skims) {
        TRY(take(j, &pass_skim, fresh, n));
        sys_memory_trim(); /* the other pass has sizes of its own */
        searchable(j);
        if (wants_table) TRY(index_table(j));
    }
    TRY(take(j, &pass_whole, j->todo, j->n_todo));
    if (skims) return ERR_OK;
    searchable(j);
    return wants_table ? index_table(j) : ERR_OK;
}

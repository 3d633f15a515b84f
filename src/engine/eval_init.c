/* eval_init.c - pythia_eval_init: an evaluation set of the collection itself, in BEIR's layout. eval_init.h tells what
 * is asked, and what keeps queries from finding themselves.
 *
 * The corpus is the collection's chunks, one a document, with the fields that they are indexed with; ids are PATH:LINE.
 */
#include "engine/eval_init.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "search/fresh.h"

#define INIT_TEXT_MAX ((size_t)1 << 30) /* bytes of all documents; they are in memory at once */
enum { BEAT = 64 };

const char *const eval_query_kind_names[EVAL_QUERY_KINDS] = {"docstring", "heading", "commit", "feedback"};

/* ---- reading ---- */

static Err doc_add(void *ctx, const StoreDoc *doc) {
    EvalInit *e = ctx;
    if (doc->state != DOC_ACTIVE) return ERR_OK;
    if (e->n_docs == e->cap_docs) {
        const size_t cap = e->cap_docs ? 2 * e->cap_docs : 256;
        InitDoc *more = arena_array(e->a, InitDoc, cap);
        if (!more) return arena_error();
        if (e->n_docs) memcpy(more, e->docs, e->n_docs * sizeof *more);
        e->docs = more;
        e->cap_docs = cap;
    }
    e->docs[e->n_docs] =
        (InitDoc){.id = doc->id, .path = arena_str(e->a, doc->path), .lang = arena_str(e->a, doc->lang)};
    return e->docs[e->n_docs].path.p && e->docs[e->n_docs++].lang.p ? ERR_OK : arena_error();
}

/* Every chunk is where it was, as it was. */
static bool is_as_indexed(const InitDoc *d) {
    for (size_t i = 0; i < d->n; i++) {
        const StoreChunk *c = &d->chunks[i];
        if (c->start < 0 || c->end < c->start || (uint64_t)c->end > d->text.n) return false;
        const ChunkHash now = chunk_hash_of(str_make(d->text.p + c->start, (size_t)(c->end - c->start)));
        if (memcmp(&now, &c->hash, sizeof now) != 0) return false;
    }
    return d->n > 0;
}

static Err doc_read_live(EvalInit *e, InitDoc *d, bool *sound) {
    LiveText live;
    *sound = false;
    TRY(store_chunks_of(e->store, e->a, d->id, &d->chunks, &d->n));
    if (d->n == 0) return ERR_OK;
    TRY(live_read(e->a, e->store, e->c.root, &d->chunks[0], &live));
    d->text = live.readable ? live.text : STR("");
    *sound = is_as_indexed(d);
    return ERR_OK;
}

static void tell(EvalInit *e, const char *stage, size_t done, bool finished) {
    if (!e->rq->progress) return;
    const IndexProgress p = {.stage = stage,
                             .collection = e->c.name.p,
                             .done = (int64_t)done,
                             .total = (int64_t)e->n_docs,
                             .seconds = (double)(clock_mono_ns() - e->start_ns) * 1e-9,
                             .finished = finished};
    e->rq->progress(e->rq->progress_ctx, &p);
}

static Err docs_read(EvalInit *e) {
    const Deadline stop = engine_deadline(e->p, 0);
    size_t bytes = 0, kept = 0;
    TRY(store_documents(e->store, e->c.id, doc_add, e));
    for (size_t i = 0; i < e->n_docs; i++) {
        InitDoc d = e->docs[i];
        bool sound;
        TRY(deadline_check(&stop));
        TRY(doc_read_live(e, &d, &sound));
        if (i % BEAT == 0) tell(e, "read", i, false);
        e->out->stale += !sound && d.n > 0;
        if (!sound) continue;
        if (d.text.n > INIT_TEXT_MAX - bytes)
            return err_set(ERR_LIMIT, "collection '%.*s' has more than 1 GB of text", STR_FMT(e->c.name));
        bytes += d.text.n;
        e->docs[kept++] = d;
        e->out->chunks += (int64_t)d.n;
    }
    e->n_docs = kept;
    e->out->documents = (int64_t)kept;
    for (size_t i = 0; i < kept; i++) TRY(map_put(&e->by_path, e->docs[i].path, i));
    return ERR_OK;
}

/* ---- choosing ---- */

static int by_order(const void *x, const void *y) {
    const InitQuery *a = *(InitQuery *const *)x, *b = *(InitQuery *const *)y;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->elsewhere != b->elsewhere) return a->elsewhere ? 1 : -1;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return str_cmp(a->text, b->text);
}

/* As many of each kind, but that what one lacks is left to the others. */
static void share(const int64_t possible[EVAL_QUERY_KINDS], size_t most, int64_t asked[EVAL_QUERY_KINDS]) {
    for (bool more = true; most && more;) {
        more = false;
        for (int k = 0; k < EVAL_QUERY_KINDS && most; k++) {
            if (asked[k] == possible[k]) continue;
            asked[k]++;
            most--;
            more = true;
        }
    }
}

static Err choose(EvalInit *e) {
    EvalInitReport *out = e->out;
    InitQuery **order = arena_array(e->a, InitQuery *, e->n_queries + 1);
    int64_t taken[EVAL_QUERY_KINDS] = {0};
    if (!order) return arena_error();
    for (size_t i = 0; i < e->n_queries; i++) {
        InitQuery *q = order[i] = &e->queries[i];
        q->order = xxh3_seeded(q->text, e->rq->seed);
        out->elsewhere += q->elsewhere;
        out->possible[q->kind] += !q->elsewhere;
    }
    qsort(order, e->n_queries, sizeof(InitQuery *), by_order);
    share(out->possible, e->rq->queries, out->asked);
    for (size_t i = 0; i < e->n_queries; i++)
        order[i]->chosen = !order[i]->elsewhere && taken[order[i]->kind]++ < out->asked[order[i]->kind];
    for (int k = 0; k < EVAL_QUERY_KINDS; k++)
        if (out->asked[k]) return ERR_OK;
    return err_fix(
        err_set(ERR_INPUT,
                "nothing in collection '%.*s' can be made a query of: no comment, heading or commit says what "
                "stands nowhere else",
                STR_FMT(e->c.name)),
        "pythia help eval init");
}

/* ---- writing ---- */

typedef struct {
    EvalInit *e;
    const InitQuery **cuts; /* [n_cuts] chosen ones that leave out something, or a heading, by document */
    size_t n_cuts;
    Buf corpus, queries, qrels;
} Writing;

static int by_doc(const void *x, const void *y) {
    const InitQuery *a = *(InitQuery *const *)x, *b = *(InitQuery *const *)y;
    if (a->doc != b->doc) return a->doc < b->doc ? -1 : 1;
    return (a->cut > b->cut) - (a->cut < b->cut);
}

/* PATH:LINE, ":2" behind the second chunk that begins on a line. What parts words in a run file is percent-encoded. */
static void id_add(Buf *b, const InitDoc *d, size_t chunk) {
    size_t same = 0;
    for (size_t i = 0; i < d->path.n; i++) {
        const unsigned char c = (unsigned char)d->path.p[i];
        if (c <= ' ' || c == 0x7F || c == '%' || c == '"')
            buf_printf(b, "%%%02X", c);
        else
            buf_char(b, (char)c);
    }
    buf_printf(b, ":%d", d->chunks[chunk].start_line);
    while (same < chunk && d->chunks[chunk - same - 1].start_line == d->chunks[chunk].start_line) same++;
    if (same) buf_printf(b, ":%zu", same + 1);
}

/* The chunk's text without what chosen queries were made of, [from, to) of cuts being its document's. */
static void text_add(const Writing *w, Buf *b, const InitDoc *d, const StoreChunk *c, size_t from, size_t to) {
    int64_t at = c->start;
    for (size_t i = from; i < to && at < c->end; i++) {
        const InitQuery *q = w->cuts[i];
        if (q->cut_end <= at || q->cut >= c->end) continue;
        if (q->cut > at) buf_add(b, str_make(d->text.p + at, (size_t)(q->cut - at)));
        at = q->cut_end;
    }
    if (at < c->end) buf_add(b, str_make(d->text.p + at, (size_t)(c->end - at)));
}

/* The chunk's headings without those that are asked: "Install" asked leaves "Linux" of "Install > Linux". */
static Str heading_left(const Writing *w, const StoreChunk *c, size_t from, size_t to) {
    size_t gone = 0;
    for (size_t i = from; i < to; i++) {
        const Str asked = w->cuts[i]->heading;
        if (!asked.n || asked.n <= gone || !str_starts(c->heading, asked)) continue;
        if (c->heading.n == asked.n || str_starts(str_from(c->heading, asked.n), STR(" > "))) gone = asked.n;
    }
    return gone ? str_from(c->heading, gone + 3) : c->heading;
}

static Err chunk_write(Writing *w, const InitDoc *d, size_t chunk, size_t from, size_t to) {
    const StoreChunk *c = &d->chunks[chunk];
    Buf text = {0};
    text_add(w, &text, d, c, from, to);
    JsonOut j = jout_to(&w->corpus);
    Buf id = {0};
    id_add(&id, d, chunk);
    jout_begin(&j, '{');
    jout_kv_str(&j, "id", buf_str(&id));
    jout_kv_str(&j, "path", d->path);
    jout_kv_str(&j, "lang", d->lang);
    if (c->symbol.n) jout_kv_str(&j, "symbol", c->symbol);
    if (c->names.n) jout_kv_str(&j, "names", c->names);
    const Str heading = heading_left(w, c, from, to);
    if (heading.n) jout_kv_str(&j, "heading", heading);
    jout_kv_str(&j, "text", buf_str(&text));
    jout_end(&j, '}');
    buf_char(&w->corpus, '\n');
    Err err = buf_ok(&text);
    if (!err) err = buf_ok(&id);
    buf_free(&text);
    buf_free(&id);
    return err;
}

static Err corpus_write(Writing *w) {
    EvalInit *e = w->e;
    size_t from = 0;
    for (size_t i = 0; i < e->n_docs; i++) {
        size_t to = from;
        while (to < w->n_cuts && w->cuts[to]->doc == i) to++;
        for (size_t c = 0; c < e->docs[i].n; c++) TRY(chunk_write(w, &e->docs[i], c, from, to));
        from = to;
        if (i % BEAT == 0) tell(e, "write", i, false);
    }
    return ERR_OK;
}

/* 2 for a chunk that holds what is asked for, 1 for others that have a part of it; 0. */
static int grade_of(const InitQuery *q, size_t doc, const StoreChunk *chunk) {
    int grade = 0;
    for (size_t t = 0; t < q->n && grade < 2; t++) {
        const InitTarget *target = &q->targets[t];
        if (target->doc != doc || chunk->end <= target->from || chunk->start >= target->to) continue;
        grade = target->at >= chunk->start && target->at < chunk->end ? 2 : 1;
    }
    return grade;
}

static void qrels_add(Writing *w, Str id, const InitQuery *q) {
    for (size_t t = 0; t < q->n; t++) {
        const size_t doc = q->targets[t].doc;
        const InitDoc *d = &w->e->docs[doc];
        bool before = false;
        for (size_t i = 0; i < t; i++) before |= q->targets[i].doc == doc;
        for (size_t c = 0; c < d->n && !before; c++) {
            const int grade = grade_of(q, doc, &d->chunks[c]);
            if (!grade) continue;
            buf_printf(&w->qrels, "%.*s\t", STR_FMT(id));
            id_add(&w->qrels, d, c);
            buf_printf(&w->qrels, "\t%d\n", grade);
        }
    }
}

static Err query_write(Writing *w, const InitQuery *q) {
    char hex[17];
    const Sha256 of = sha256_of(q->text);
    hex_write(of.bytes, 8, hex);
    const Str id = arena_printf(w->e->a, "%s-%s", eval_query_kind_names[q->kind], hex);
    if (!id.p) return arena_error();
    JsonOut j = jout_to(&w->queries);
    jout_begin(&j, '{');
    jout_kv_str(&j, "id", id);
    jout_kv_z(&j, "kind", eval_query_kind_names[q->kind]);
    jout_kv_str(&j, "text", q->text);
    jout_end(&j, '}');
    buf_char(&w->queries, '\n');
    qrels_add(w, id, q);
    return ERR_OK;
}

static void about_add(const EvalInit *e, Buf *b) {
    const EvalInitReport *r = e->out;
    JsonOut j = jout_to(b);
    jout_begin(&j, '{');
    jout_kv_z(&j, "made_by", "pythia eval init");
    jout_kv_str(&j, "collection", e->c.name);
    jout_kv_i64(&j, "seed", (int64_t)e->rq->seed);
    jout_kv_i64(&j, "documents", r->documents);
    jout_kv_i64(&j, "chunks", r->chunks);
    jout_kv_i64(&j, "elsewhere", r->elsewhere);
    for (int k = 0; k < EVAL_QUERY_KINDS; k++) {
        jout_key(&j, eval_query_kind_names[k]);
        jout_begin(&j, '{');
        jout_kv_i64(&j, "possible", r->possible[k]);
        jout_kv_i64(&j, "asked", r->asked[k]);
        jout_end(&j, '}');
    }
    jout_end(&j, '}');
    buf_char(b, '\n');
}

static Err file_put(const EvalInit *e, const char *dir, const char *name, const Buf *b) {
    TRY(buf_ok(b));
    const char *path = path_join(e->a, dir, name);
    return path ? file_write_atomic(path, buf_str(b), 0644) : arena_error();
}

static Err files_put(Writing *w, const char *dir) {
    Buf meta = {0};
    about_add(w->e, &meta);
    Err err = file_put(w->e, dir, "corpus.jsonl", &w->corpus);
    if (!err) err = file_put(w->e, dir, "queries.jsonl", &w->queries);
    if (!err) err = file_put(w->e, dir, "qrels.tsv", &w->qrels);
    if (!err) err = file_put(w->e, dir, "meta.json", &meta);
    buf_free(&meta);
    return err;
}

static Err set_write(EvalInit *e, const char *dir) {
    Writing w = {.e = e, .cuts = arena_array(e->a, const InitQuery *, e->n_queries + 1)};
    Err err = w.cuts ? ERR_OK : arena_error();
    for (size_t i = 0; !err && i < e->n_queries; i++) {
        const InitQuery *q = &e->queries[i];
        if (!q->chosen) continue;
        if (q->cut_end > q->cut || q->heading.n) w.cuts[w.n_cuts++] = q;
        err = query_write(&w, q);
    }
    if (!err) qsort(w.cuts, w.n_cuts, sizeof *w.cuts, by_doc);
    if (!err) err = corpus_write(&w);
    if (!err) err = files_put(&w, dir);
    if (!err) tell(e, "write", e->n_docs, true);
    buf_free(&w.corpus);
    buf_free(&w.queries);
    buf_free(&w.qrels);
    return err;
}

/* ---- all ---- */

/* A set that is there is kept unless told otherwise. */
static Err dir_make(EvalInit *e, const char **out) {
    FileInfo info;
    const char *given = arena_cstr(e->a, e->rq->dir);
    *out = given ? path_join(e->a, e->p->opts.cwd, given) : NULL;
    const char *corpus = *out ? path_join(e->a, *out, "corpus.jsonl") : NULL;
    if (!corpus) return arena_error();
    TRY(file_info(corpus, true, &info));
    if (info.type != FILE_NONE && !e->rq->force)
        return err_fix(err_set(ERR_USAGE, "'%s' holds an evaluation set already", *out),
                       "pythia eval init '%s' --force", *out);
    return file_make_dirs(*out, 0755);
}

static Err init_all(EvalInit *e) {
    const char *dir = NULL;
    TRY(engine_store(e->p, false, &e->store));
    TRY(engine_find_collection(e->p, e->store, e->a, e->rq->collection, &e->c));
    e->out->collection = e->c.name;
    TRY(dir_make(e, &dir));
    TRY(docs_read(e));
    TRY(eval_queries_find(e));
    TRY(choose(e));
    return set_write(e, dir);
}

Err pythia_eval_init(Pythia *p, Arena *a, const EvalInitRequest *rq, EvalInitReport *out) {
    *out = (EvalInitReport){.collection = STR(""), .no_commits = STR("")};
    EvalInit e = {.p = p, .a = a, .rq = rq, .out = out, .start_ns = clock_mono_ns()};
    const Err err = init_all(&e);
    map_free(&e.by_path);
    return err;
}

/* upload.c - files put into a managed collection, by their content.
 *
 * A document is called "upload://sha256:<hash of its bytes>", so that the same bytes are one document whatever they are
 * called and however often they come. Files are read UPLOAD_BATCH at a time in parallel (a PDF may take its minute, and
 * a transaction must not be open meanwhile), then put in one transaction; vectors follow at the end. What is known is
 * told before anything is locked, made or read.
 */
#include "base/file.h"
#include "engine/managed_job.h"
#include "ingest/read.h"

enum { UPLOAD_BATCH = 16, NAME_BYTES = 255, NAME_TRIES = 10000 };

const char *const upload_outcome_names[UPLOAD_OUTCOMES] = {"added", "replaced", "known", "refused"};

typedef struct {
    Arena arena;
    const UploadFile *file;
    Uploaded *out;
    Sha256 sha256;
    Doc doc; /* uri and path are set before it is read */
    Str uri, name, refusal;
    DocChunks cut;
    bool done; /* known or refused */
} Slot;

typedef struct {
    ManagedJob job;
    const UploadRequest *rq;
    UploadReport *out;
    ReadOpts read;
    Pool *pool;
    Deadline stop;
    bool begun;
    Slot slots[UPLOAD_BATCH];
    size_t n; /* of them in use */
} Upload;

/* ---- reading ---- */

/* A failure that is about this file becomes its reason; one about the machine ends the call. */
static Err refuse(Slot *s, Err err) {
    if (err != ERR_IO && err != ERR_INPUT && err != ERR_LIMIT && err != ERR_UNSUPPORTED && err != ERR_CORRUPT)
        return err;
    s->done = true;
    s->refusal = arena_str(&s->arena, str_of(err_text()));
    return s->refusal.p ? ERR_OK : arena_error();
}

static Err name_check(Str name) {
    if (name.n == 0 || str_is(name, ".") || str_is(name, "..")) return err_set(ERR_INPUT, "it has no name");
    if (name.n > NAME_BYTES)
        return err_set(ERR_LIMIT, "its name has %zu bytes; at most %d are taken", name.n, NAME_BYTES);
    return str_find_char(name, 0) < 0 ? ERR_OK : err_set(ERR_INPUT, "its name has a NUL byte");
}

/* Too large a file is not even hashed: that takes a second for each gigabyte of it. */
static Err size_check(const Upload *u, Slot *s) {
    struct stat st;
    Str reason;
    if (fstat(s->file->fd, &st) != 0 || st.st_size <= u->read.max_size) return ERR_OK;
    TRY(reason_too_large(&s->arena, u->read.max_size, st.st_size, &reason));
    return err_set(ERR_LIMIT, "%.*s", STR_FMT(reason));
}

/* What it is, before it is read: name, hash, URI. */
static Err slot_look(const Upload *u, Slot *s) {
    char hex[65];
    s->name = path_base(s->file->name);
    Err err = name_check(s->name);
    if (!err) err = size_check(u, s);
    if (!err && s->file->sha256) s->sha256 = *s->file->sha256;
    if (!err && !s->file->sha256) err = sha256_fd(s->file->fd, &s->sha256);
    if (err) return refuse(s, err);
    hex_write(s->sha256.bytes, sizeof s->sha256.bytes, hex);
    s->uri = arena_printf(&s->arena, "upload://sha256:%s", hex);
    return s->uri.p ? ERR_OK : arena_error();
}

static Err slot_read(void *ctx, size_t at, size_t worker) {
    Upload *u = ctx;
    Slot *s = &u->slots[at];
    Str skip = {"", 0};
    (void)worker;
    if (s->done) return ERR_OK;
    Err err = doc_read_open(&s->arena, s->file->fd, s->name, &u->read, &s->doc, &skip);
    if (!err && !skip.n && memcmp(&s->doc.sha256, &s->sha256, sizeof s->sha256) != 0)
        skip = STR("changed while being read");
    if (!err && skip.n) err = err_set(ERR_INPUT, "%.*s", STR_FMT(skip));
    if (!err) {
        s->doc.uri = s->uri;
        if (s->file->title.n) s->doc.title = s->file->title;
        err = managed_cut(&u->job, &s->arena, &s->doc, &s->cut);
    }
    return err ? refuse(s, err) : ERR_OK;
}

/* ---- writing ---- */

/* Whether the collection has these bytes. */
static Err known(Upload *u, Slot *s, bool *found) {
    StoreDoc d;
    *found = false;
    if (!u->job.c.id) return ERR_OK;
    const Err err = store_document_by_uri(u->job.store, &s->arena, u->job.c.id, s->uri, &d);
    if (err == ERR_NO_DOCUMENT || (!err && d.state != DOC_ACTIVE)) return ERR_OK;
    TRY(err);
    *found = s->done = true;
    s->out->outcome = UPLOAD_KNOWN;
    return document_fill(u->job.a, &d, &s->out->document);
}

/* "report-2.pdf" */
static Str name_numbered(Arena *a, Str name, int number) {
    const Str ext = path_ext(name);
    const size_t stem = ext.n ? name.n - ext.n - 1 : name.n;
    return arena_printf(a, "%.*s-%d%s%.*s", (int)stem, name.p, number, ext.n ? "." : "", (int)ext.n, ext.p);
}

/* A path that no document has: the file's own name, with a number if need be; or the document that has it gives way. */
static Err slot_name(Upload *u, Slot *s) {
    StoreDoc other;
    s->doc.path = s->name;
    for (int number = 2; number < NAME_TRIES; number++) {
        const Err err = store_document(u->job.store, &s->arena, u->job.c.id, s->doc.path, &other);
        if (err == ERR_NO_DOCUMENT) return ERR_OK;
        TRY(err);
        if (u->rq->replace) {
            s->out->outcome = UPLOAD_REPLACED;
            return managed_remove(&u->job, other.id);
        }
        s->doc.path = name_numbered(&s->arena, s->name, number);
        if (!s->doc.path.p) return arena_error();
    }
    return err_set(ERR_LIMIT, "no free name for '%.*s'", STR_FMT(s->name));
}

static Err slot_put(Upload *u, Slot *s) {
    StoreDoc d;
    bool found = false;
    if (s->done) return ERR_OK;
    TRY(known(u, s, &found)); /* again: a file before it, or another call, may have brought these bytes */
    if (found) return ERR_OK;
    s->out->outcome = UPLOAD_ADDED;
    TRY(slot_name(u, s));
    TRY(managed_put(&u->job, &s->doc, &s->cut));
    u->out->chunks += (int64_t)s->cut.n;
    TRY(store_document_by_uri(u->job.store, &s->arena, u->job.c.id, s->uri, &d));
    return document_fill(u->job.a, &d, &s->out->document);
}

static Err batch_put(Upload *u) {
    bool any = false;
    for (size_t i = 0; i < u->n; i++) any |= !u->slots[i].done;
    if (!any) return ERR_OK;
    if (!u->begun) TRY(managed_begin(&u->job, true));
    u->begun = true;
    TRY(store_begin(u->job.store));
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < u->n; i++) err = slot_put(u, &u->slots[i]);
    TRY(words_commit(u->job.words, err));
    return words_tidy(u->job.words, false);
}

static Err batch_run(Upload *u, size_t from) {
    bool found = false;
    TRY(deadline_check(&u->stop));
    for (size_t i = 0; i < u->n; i++) {
        Arena keep = u->slots[i].arena;
        arena_reset(&keep);
        u->slots[i] = (Slot){.arena = keep, .file = &u->rq->files[from + i], .out = &u->out->files[from + i]};
        TRY(slot_look(u, &u->slots[i]));
        if (!u->slots[i].done) TRY(known(u, &u->slots[i], &found));
    }
    TRY(pool_for(u->pool, u->n, slot_read, u));
    return batch_put(u);
}

/* ---- the call ---- */

static Err count(Upload *u, Slot *s) {
    UploadReport *r = u->out;
    if (s->refusal.p) {
        s->out->outcome = UPLOAD_REFUSED;
        s->out->reason = arena_str(u->job.a, s->refusal);
        if (!s->out->reason.p) return arena_error();
    }
    s->out->name = s->file->name;
    int64_t *const of[UPLOAD_OUTCOMES] = {&r->added, &r->replaced, &r->known, &r->refused};
    (*of[s->out->outcome])++;
    return ERR_OK;
}

static Err upload_all(Upload *u) {
    EmbedReport embed = {0};
    for (size_t done = 0; done < u->rq->n; done += u->n) {
        u->n = u->rq->n - done < UPLOAD_BATCH ? u->rq->n - done : UPLOAD_BATCH;
        TRY(batch_run(u, done));
        for (size_t i = 0; i < u->n; i++) TRY(count(u, &u->slots[i]));
        u->out->n = done + u->n;
        if (u->begun) TRY(managed_beat(&u->job, "read", (int64_t)u->out->n, (int64_t)u->rq->n));
    }
    if (!u->begun) return ERR_OK;
    TRY(managed_settle(&u->job, &embed));
    u->out->embedded = embed.embedded;
    u->out->reused = embed.reused;
    u->out->tokens = embed.tokens;
    return ERR_OK;
}

static Err outcome(const UploadReport *r) {
    if (r->refused == 0) return ERR_OK;
    if (r->n > 1 && r->refused < (int64_t)r->n)
        return err_set(ERR_PARTIAL, "%lld of %zu files %s refused", (long long)r->refused, r->n,
                       r->refused == 1 ? "was" : "were");
    return err_set(ERR_INPUT, "'%.*s': %.*s", STR_FMT(r->files[0].name), STR_FMT(r->files[0].reason));
}

Err pythia_upload(Pythia *p, Arena *a, const UploadRequest *rq, UploadReport *out) {
    Upload u = {.rq = rq, .out = out, .stop = engine_deadline(p, 0)};
    const int64_t start = clock_mono_ns();
    *out = (UploadReport){.files = arena_array(a, Uploaded, rq->n)};
    if (!out->files) return arena_error();
    TRY(engine_pool(p, &u.pool));
    TRY(managed_find(&u.job, p, a, rq->collection, true));
    u.job.progress = rq->progress;
    u.job.progress_ctx = rq->progress_ctx;
    /* Whoever names a file wants it: the limit is that of documents, and no rule of noise is asked. */
    u.read = engine_read_opts(p, &u.job.settings, &u.stop);
    u.read.max_size = u.read.documents.max_size;
    Err err = upload_all(&u);
    err = managed_end(&u.job, err, out->refused);
    for (size_t i = 0; i < UPLOAD_BATCH; i++) arena_free(&u.slots[i].arena);
    out->run = u.job.run;
    out->seconds = clock_ms_since(start) * 1e-3;
    return err ? err : outcome(out);
}

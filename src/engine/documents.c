/* documents.c - documents as rows; and the engine's side of reading them: from the configuration to what ingest is
 * handed. */
#include "engine/managed_job.h"

bool pythia_reader_main(int argc, char **argv, int *code) {
    if (argc < 2 || strcmp(argv[1], CHILD_WORD) != 0) return false;
    *code = child_main(argc, argv, NULL, 0);
    return true;
}

ReadOpts engine_read_opts(const Pythia *p, const IndexSettings *s, const Deadline *stop) {
    const Config *c = p->opts.config;
    ReadOpts out = settings_read_opts(s);
    out.documents = (DocumentOpts){.child = {.program = p->opts.reader,
                                             .readers = p->readers,
                                             .memory = config_int(c, CONF_DOCUMENTS_MEMORY),
                                             .timeout_ms = config_int(c, CONF_DOCUMENTS_TIMEOUT),
                                             .stop = stop},
                                   .max_size = config_int(c, CONF_DOCUMENTS_MAX_FILE_SIZE),
                                   .pdf = {.ocr = config_bool(c, CONF_DOCUMENTS_OCR),
                                           .ocr_pages = config_int(c, CONF_DOCUMENTS_OCR_PAGES),
                                           .languages = config_text(c, CONF_DOCUMENTS_OCR_LANGUAGES).p}};
    return out;
}

Err engine_readers(const Pythia *p, Arena *a, Str *out) {
    static const ConfigKey keys[] = {CONF_DOCUMENTS_MAX_FILE_SIZE, CONF_DOCUMENTS_MEMORY,
                                     CONF_DOCUMENTS_TIMEOUT,       CONF_DOCUMENTS_OCR,
                                     CONF_DOCUMENTS_OCR_PAGES,     CONF_DOCUMENTS_OCR_LANGUAGES};
    static const char *const programs[] = {"pdftotext", "tesseract"};
    Buf b = {0};
    buf_printf(&b, "v%d %s", DOCUMENT_READERS_VERSION, p->opts.reader ? "child" : "none");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const Str value = config_text(p->opts.config, keys[i]);
        buf_printf(&b, " %s=%.*s", config_defs[keys[i]].key, STR_FMT(value));
    }
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (pdf_program(a, NULL, programs[i])) buf_printf(&b, " %s", programs[i]);
    Err err = buf_ok(&b);
    if (!err) *out = arena_str(a, buf_str(&b));
    if (!err && !out->p) err = arena_error();
    buf_free(&b);
    return err;
}

/* ---- rows ---- */

static const char *state_name(DocState s) {
    return s == DOC_ACTIVE ? "active" : s == DOC_SKIPPED ? "skipped" : "failed";
}

Err document_fill(Arena *a, const StoreDoc *d, PythiaDocument *out) {
    *out = (PythiaDocument){.uri = arena_str(a, d->uri),
                            .path = arena_str(a, d->path),
                            .title = arena_str(a, d->title),
                            .lang = arena_str(a, d->lang),
                            .meta = arena_str(a, d->meta),
                            .state = state_name(d->state),
                            .reason = arena_str(a, d->reason),
                            .bytes = d->size,
                            .chunks = d->chunks,
                            .indexed_ms = d->indexed_ms,
                            .modified_ms = d->mtime_ns / 1000000};
    hex_write(d->sha256.bytes, sizeof d->sha256.bytes, out->sha256);
    const bool all = out->uri.p && out->path.p && out->title.p && out->lang.p && out->meta.p && out->reason.p;
    return all ? ERR_OK : arena_error();
}

typedef struct {
    Arena *a;
    Str after;
    size_t limit, n, cap;
    bool more;
    PythiaDocument *list;
} Listing;

static Err listing_row(void *ctx, const StoreDoc *d) {
    Listing *l = ctx;
    if (l->after.p && str_cmp(d->path, l->after) <= 0) return ERR_OK;
    if (l->n == l->limit) return l->more = true, ERR_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 32;
        PythiaDocument *list = arena_array(l->a, PythiaDocument, cap);
        if (!list) return arena_error();
        if (l->n) memcpy(list, l->list, l->n * sizeof *list);
        l->list = list;
        l->cap = cap;
    }
    return document_fill(l->a, d, &l->list[l->n++]);
}

Err pythia_documents(Pythia *p, Arena *a, Str collection, Str after, size_t limit, PythiaDocument **out, size_t *n,
                     bool *more) {
    Store *s = NULL;
    StoreCollection c;
    Listing l = {.a = a, .after = after, .limit = limit};
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, collection, &c));
    TRY(store_documents(s, c.id, listing_row, &l));
    *out = l.list;
    *n = l.n;
    *more = l.more;
    return ERR_OK;
}

Err pythia_document(Pythia *p, Arena *a, Str collection, Str path, PythiaDocument *out) {
    Store *s = NULL;
    StoreCollection c;
    StoreDoc d;
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, collection, &c));
    TRY(managed_document(s, a, c.id, path, &d));
    return document_fill(a, &d, out);
}

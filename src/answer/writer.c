/* writer.c - the table of writers; see writer.h. */
#include "answer/writer.h"

static const WriterKind *const writer_kinds[] = {&writer_extractive, &writer_local, &writer_endpoint};

Err writer_kind(Str llm, const WriterKind **out) {
    for (size_t i = 0; i < sizeof writer_kinds / sizeof *writer_kinds; i++) {
        *out = writer_kinds[i];
        if ((*out)->takes(llm)) return ERR_OK;
    }
    return err_fix(
        err_set(ERR_USAGE, "'%.*s' is no writer (ask.url); valid: none, local, or a service's URL", STR_FMT(llm)),
        "pythia config set ask.url http://127.0.0.1:8081/v1");
}

Err writer_open(Writer **out, const WriterKind *kind, const WriterOpts *opts) {
    *out = NULL;
    return kind->open(out, opts);
}

void writer_close(Writer *w) {
    if (w) w->kind->close(w);
}

Err writer_write(Writer *w, const WriterJob *job) { return w->kind->write(w, job); }

/* write_extract.c - the writer without a model: the quotes themselves. */
#include "answer/writer.h"

static bool takes(Str llm) { return llm.n == 0 || str_is(llm, "none"); }

static Writer extractive = {.kind = &writer_extractive}; /* has no state */

static Err open_extractive(Writer **out, const WriterOpts *opts) {
    (void)opts;
    *out = &extractive;
    return ERR_OK;
}

static Err write_quotes(Writer *w, const WriterJob *job) {
    (void)w;
    if (job->quotes && job->quotes->text.n) (void)job->sink(job->ctx, job->quotes->text);
    return ERR_OK;
}

static void close_extractive(Writer *w) { (void)w; }

const WriterKind writer_extractive = {.name = "extractive",
                                      .quotes = true,
                                      .takes = takes,
                                      .open = open_extractive,
                                      .write = write_quotes,
                                      .close = close_extractive};

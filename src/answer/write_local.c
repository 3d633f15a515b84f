/* write_local.c - the writer in our own engine. A model with a chat template is asked as it was taught to be; one
 * without (a base model) goes on with a text that ends in "Answer:". */
#include <stdlib.h>

#include "answer/writer.h"
#include "model/generate.h"

typedef struct {
    Writer base;
    Generator *generator;
    const Model *model;
    Pool *pool;
} Local;

static Local *local_of(Writer *w) { return (Local *)(void *)w; }

static bool takes(Str llm) { return str_is(llm, "local"); }

static void close_local(Writer *w) {
    generator_close(local_of(w)->generator);
    free(w);
}

static Err open_local(Writer **out, const WriterOpts *opts) {
    Local *l = calloc(1, sizeof *l);
    if (!l) return err_set(ERR_NOMEM, "out of memory for a writer");
    *l = (Local){.base = {.kind = &writer_local}, .model = opts->model, .pool = opts->pool};
    const Err err = generator_open(&l->generator, opts->model, NULL);
    if (err)
        free(l);
    else
        *out = &l->base;
    return err;
}

static size_t count(const void *writer, Str text) { return model_count_tokens(((const Local *)writer)->model, text); }

/* The rest is for the answer; of a small context a quarter. */
static size_t room(const Writer *w) {
    const size_t context = generator_context(((const Local *)(const void *)w)->generator);
    return context > 4 * WRITER_TOKENS_MAX ? context - WRITER_TOKENS_MAX : context - context / 4;
}

static Err write_local(Writer *w, const WriterJob *job) {
    Local *l = local_of(w);
    static const Str stops[] = {{"\n\n", 2}, {"\nQuestion:", 10}, {"\nSources:", 9}};
    GenerateReport report = {0};
    GenerateOpts opts = {.max_tokens = WRITER_TOKENS_MAX, .deadline = job->deadline};
    Err err = ERR_OK;
    if (generator_can_chat(l->generator)) {
        const GenerateMessage messages[] = {{STR("system"), job->prompt->system}, {STR("user"), job->prompt->user}};
        const GenerateChat chat = {.messages = messages, .n = 2, .now_ms = clock_wall_ms()};
        err = generator_chat(l->generator, l->pool, &chat, &opts, job->sink, job->ctx, &report);
    } else {
        opts.stops = stops;
        opts.n_stops = sizeof stops / sizeof *stops;
        err = generator_run(l->generator, l->pool, job->prompt->plain, &opts, job->sink, job->ctx, &report);
    }
    w->usage.read += (int64_t)report.prompt_tokens;
    w->usage.written += (int64_t)report.tokens;
    return err;
}

const WriterKind writer_local = {.name = "local",
                                 .takes = takes,
                                 .open = open_local,
                                 .count = count,
                                 .room = room,
                                 .write = write_local,
                                 .close = close_local};

/* writer.h - who writes an answer: behind one face, a kind a file.
 *
 *     extractive   the quotes that were found (extract.c); no model
 *     local        a GGUF in our own engine (model/generate.h)
 *     endpoint     a service with OpenAI's /v1/chat/completions: Ollama, llama-server, vLLM, OpenAI
 *
 * A kind is one file that fills a WriterKind, and one line in writer_kinds (writer.c). What a writer gives is a claim:
 * compose.h checks it. A writer that fails gives an error, never a text of its own.
 *
 * Threads: a Writer is one thread's at a time.
 */
#ifndef PYTHIA_ANSWER_WRITER_H
#define PYTHIA_ANSWER_WRITER_H

#include "answer/answer.h"
#include "answer/prompt.h"

enum { WRITER_TEXT_MAX = 64 << 10, WRITER_TOKENS_MAX = 1024 }; /* of an answer; more is not asked for */

typedef struct {
    /* local */
    const Model *model; /* opened to generate */
    Pool *pool;
    /* endpoint */
    const char *url;              /* "http://127.0.0.1:8081/v1", or that of /chat/completions itself */
    const char *name;             /* what the service calls its model */
    const char *key, *key_env;    /* NULL: none; key_env is named in messages, the key never */
    int64_t connect_ms, stall_ms; /* 0: http.h's */
    unsigned attempts;            /* 0: 5; only of replies that say "later" (429, 503) before a first byte */
    int64_t pause_ms;             /* after the first; 0: 500 */
    uint64_t seed;                /* of the pauses' jitter */
    bool whole;                   /* the answer in one piece, not as it comes */
} WriterOpts;

/* A piece of the answer; false: enough. */
typedef bool (*WriterSink)(void *ctx, Str piece);

typedef struct {
    const Prompt *prompt;
    const Answer *quotes; /* what answer_extract found */
    WriterSink sink;
    void *ctx;
    const Deadline *deadline;
} WriterJob;

typedef struct Writer Writer;

typedef struct {
    const char *name;
    bool quotes;            /* what it gives are the quotes, proven already; it reads no sources */
    bool (*takes)(Str llm); /* is it meant by this `ask.url`? */
    Err (*open)(Writer **out, const WriterOpts *opts);
    size_t (*count)(const void *writer, Str text); /* tokens; NULL where quotes is set */
    size_t (*room)(const Writer *w); /* tokens of a prompt that it can read at most; 0: as many as one likes */
    Err (*write)(Writer *w, const WriterJob *job);
    void (*close)(Writer *w);
} WriterKind;

/* Tokens that were read and written for all it was asked, what was thought aloud and left out later included. */
typedef struct {
    int64_t read, written;
    bool estimated; /* a service did not say */
} WriterUsage;

/* Every writer begins with this. */
struct Writer {
    const WriterKind *kind;
    WriterUsage usage;
};

extern const WriterKind writer_extractive, writer_local, writer_endpoint;

/* The kind that llm ("", "none", "local", a URL) means. ERR_USAGE names what is valid. */
MUST_USE Err writer_kind(Str llm, const WriterKind **out);
/* Errors: those of the kind (a model that does not write, a URL that is none). */
MUST_USE Err writer_open(Writer **out, const WriterKind *kind, const WriterOpts *opts);
void writer_close(Writer *w); /* NULL is fine */

/* Another prompt, with an answer of its own: no sources, nothing checked (rewriting a question). Errors: ERR_NETWORK,
 * ERR_DEADLINE, ERR_INTERRUPT, ERR_LIMIT and those of the model. */
MUST_USE Err writer_write(Writer *w, const WriterJob *job);

#endif

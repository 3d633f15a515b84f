/* generate.h - texts that a model writes: completions and answers in a chat, token by token.
 *
 *   Generator *g;
 *   generator_open(&g, model, &(GeneratorOpts){.context = 8192});
 *   generator_chat(g, pool, &chat, &opts, show, ctx, &report);      show(ctx, piece) gets whole characters
 *   generator_chat(g, pool, &longer_chat, …)                        what is the same at its front is not read again
 *   generator_close(g);
 *
 * The model stays immutable and shared; a Generator is one sequence: the keys and values of what it has read, so that a
 * chat's next turn costs the new tokens alone. A model is opened for it with ModelOpts.generator.
 *
 * Greedy (temperature 0, the default) gives the same text at any number of threads, and whether or not a part of the
 * prompt was there already; with a temperature the seed decides (sampler.h).
 *
 * Threads: a Generator is one thread's at a time; any number of them may stand on one model.
 * Memory: the model's keys and values in f32 (Gemma 3 270M: 10 KB a token of layers that see all, 15 MB for the
 * others), some 20 bytes a token of the vocabulary.
 */
#ifndef PYTHIA_MODEL_GENERATE_H
#define PYTHIA_MODEL_GENERATE_H

#include "base/json.h"
#include "model/generate_text.h"
#include "model/model.h"
#include "model/sampler.h"

typedef struct Generator Generator;

typedef struct {
    size_t context; /* tokens of prompt and answer together; 0: the model's, 8,192 at most */
} GeneratorOpts;

/* ERR_UNSUPPORTED: the model does not generate (an encoder, a service's, a tokenizer without a way back); ERR_LIMIT: a
 * context longer than the model's; ERR_CORRUPT: the chat template is none. Cost: the template is read, 0.1 ms. */
MUST_USE Err generator_open(Generator **out, const Model *m, const GeneratorOpts *opts);
void generator_close(Generator *g); /* NULL is fine */

size_t generator_context(const Generator *g);
bool generator_can_chat(const Generator *g); /* the model has a chat template */

/* A piece of the answer: UTF-8, whole characters, not empty. False ends the generation (GENERATE_CANCELLED). */
typedef bool (*GenerateFn)(void *ctx, Str piece);

typedef struct {
    size_t max_tokens; /* 0: until the model ends or the context is full */
    SamplerOpts sampler;
    const Str
        *stops; /* [n_stops] texts that end the answer and are no part of it; STOPS_MAX of at most STOP_BYTES_MAX */
    size_t n_stops;
    bool cut_prompt;          /* a prompt over the context loses its oldest tokens (report.cut) instead of ERR_LIMIT */
    bool ignore_end;          /* goes on over the model's own end of text: for measuring */
    const Deadline *deadline; /* asked between tokens, and within the prompt; NULL: none */
    int32_t *ids;             /* [max_tokens] gets the tokens, an end token too; NULL: nobody asks */
    float *gaps;              /* [max_tokens] how far the best score stands above the second; NULL: nobody asks */
} GenerateOpts;

typedef enum {
    GENERATE_END,      /* the model's own end of text or turn */
    GENERATE_STOP,     /* one of the stop strings: report.stop */
    GENERATE_LENGTH,   /* max_tokens */
    GENERATE_CONTEXT,  /* the context is full */
    GENERATE_CANCELLED /* the callback had enough */
} GenerateFinish;

typedef struct {
    GenerateFinish finish;
    size_t stop;          /* index into opts->stops */
    size_t prompt_tokens; /* special ones counted */
    size_t kept_tokens;   /* of these, read by an earlier call */
    size_t cut_tokens;    /* left out at the prompt's front, because of cut_prompt */
    size_t tokens;        /* generated, an end token counted */
    double prompt_ms, generate_ms;
} GenerateReport;

/* Writes on behind the prompt. Special tokens that it spells ("<bos>") count as such; what goes before each text goes
 * before it too. sink NULL: nobody listens. report is filled as far as things went, also on an error. Errors:
 * ERR_LIMIT: the prompt leaves no room in the context; ERR_INPUT: it has no tokens; ERR_USAGE: options; ERR_DEADLINE,
 * ERR_INTERRUPT: pieces so far were given out; ERR_CORRUPT: scores that are not numbers; ERR_NOMEM. */
MUST_USE Err generator_run(Generator *g, Pool *pool, Str prompt, const GenerateOpts *opts, GenerateFn sink, void *ctx,
                           GenerateReport *report);

typedef struct {
    Str role; /* "system", "user", "assistant" */
    Str content;
} GenerateMessage;

typedef struct {
    const GenerateMessage *messages; /* [n] oldest first */
    size_t n;
    const json_t
        *json; /* instead: an array of messages as OpenAI's API has them, with parts, tool calls, …; else NULL */
    const json_t *tools;  /* an array, or NULL */
    const json_t *values; /* an object of further values for the template ("enable_thinking"), or NULL */
    int64_t now_ms;       /* what time it is for the template */
} GenerateChat;

/* The prompt that the model's own template makes of a chat, up to where the answer begins. To be read: as text for
 * generator_run control tokens count wherever they are spelled, and for generator_chat only those that the template
 * wrote, not those in messages, tools and values. Errors: ERR_UNSUPPORTED: the model has no template; what
 * template_render says. */
MUST_USE Err generator_prompt(const Generator *g, const GenerateChat *chat, Buf *out);

/* The answer to a chat: generator_prompt, then generator_run but for the tokens before each text, which are the
 * template's affair. */
MUST_USE Err generator_chat(Generator *g, Pool *pool, const GenerateChat *chat, const GenerateOpts *opts,
                            GenerateFn sink, void *ctx, GenerateReport *report);

#endif

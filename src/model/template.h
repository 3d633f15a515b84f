/* template.h - a model's chat template: messages in, the prompt the model was trained on out.
 *
 * A GGUF keeps it in `tokenizer.chat_template`, written in Jinja, as Hugging Face transformers runs it: trim_blocks and
 * lstrip_blocks set, an immutable sandbox, tojson without HTML escapes, raise_exception, strftime_now, generation
 * blocks, break and continue. This is an interpreter of that language as real templates use it (the census is in
 * docs/models.md):
 *
 *     template_lex.c     text to tokens, with Jinja's rules of white space
 *     template_parse.c   tokens to statements; template_expr.c the expressions in them
 *     template_exec.c    statements run; template_eval.c the values of expressions
 *     template_call.c    macros and functions; template_method.c, template_filter.c, template_seq.c, template_test.c
 *     template_val.c     values; template_text.c values as text, Python's and JSON's
 *
 * A template is code out of a file from anywhere: it cannot reach anything but its input, and every run is bounded
 * (below). Not there, and refused by name: inheritance, inclusion, recursive loops, `**` in calls. More lenient than
 * the reference: what a generator gave can be written as JSON; `safe` changes nothing.
 *
 * Reference: Jinja 3.1 under transformers (tests/golden/template, tools/make_goldens_template.py).
 *
 * Threads: an open Template is immutable; any number of threads may render it.
 */
#ifndef PYTHIA_MODEL_TEMPLATE_H
#define PYTHIA_MODEL_TEMPLATE_H

#include "base/json.h"

enum {
    TEMPLATE_SOURCE_MAX = 1 << 20, /* bytes; the longest in use have 40 KB */
    TEMPLATE_DEPTH_MAX = 120,      /* of expressions, blocks, calls and input within each other */
    TEMPLATE_OUTPUT_MAX = 1 << 26, /* bytes */
    TEMPLATE_MEMORY_MAX = 1 << 27, /* bytes that one rendering takes */
    TEMPLATE_STEPS_MAX = 1 << 25,  /* a step is a node evaluated, or 16 bytes of text looked at: a second or so */
    TEMPLATE_RANGE_MAX = 100000    /* items of a range(), as in the reference's sandbox */
};

typedef struct Template Template;

/* Parses source, which is copied. name: the model's, for messages. Errors: ERR_CORRUPT with the line: not Jinja;
 * ERR_UNSUPPORTED: a statement that is not there; ERR_LIMIT; ERR_NOMEM. Cost: 0.1 ms for 5 KB. */
MUST_USE Err template_open(Template **out, Str source, const char *name);
void template_close(Template *t); /* NULL is fine */

/* Appends the prompt to out. globals: an object of what the template sees: messages, add_generation_prompt, bos_token,
 * tools, …; now_ms: the time that strftime_now tells (UTC). On an error out keeps what was written so far.
 * Errors, with the line: ERR_INPUT: the template refuses the messages (raise_exception) or cannot work with them (none
 * plus text); ERR_UNSUPPORTED: an unknown filter, test, method or function; ERR_LIMIT: over a limit above; ERR_NOMEM.
 * Cost: some 20 us for ten messages. */
MUST_USE Err template_render(const Template *t, const json_t *globals, int64_t now_ms, Buf *out);

#endif

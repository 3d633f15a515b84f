/* completion.h - what a service with OpenAI's /v1/chat/completions answers, read as it comes: a stream of events, or
 * one object.
 *
 *     data: {"choices":[{"delta":{"content":"Fif"}}]}
 *     data: {"choices":[{"delta":{},"finish_reason":"stop"}]}
 *     data: {"choices":[],"usage":{"prompt_tokens":812,"completion_tokens":9}}
 *     data: [DONE]
 *
 * It is somebody else's bytes: an error within a reply that says 200 is an error, a page is none, and a stream that
 * ends before it says so was cut.
 *
 * Threads: one.
 */
#ifndef PYTHIA_ANSWER_COMPLETION_H
#define PYTHIA_ANSWER_COMPLETION_H

#include "answer/writer.h"

typedef struct {
    WriterSink sink;
    void *ctx;
    enum { COMPLETION_NEW, COMPLETION_STREAM, COMPLETION_OBJECT } shape;
    Buf held;                            /* a line that is not whole, or the object so far */
    size_t written;                      /* bytes of the answer given to the sink */
    size_t written_rough;                /* tokens of it, estimated (remote_rough_tokens) */
    int64_t tokens_read, tokens_written; /* as the service says; -1: it does not */
    bool finished, enough;               /* the service has said that it is at an end; the sink has had enough */
} Completion;

void completion_begin(Completion *c, WriterSink sink, void *ctx);
/* ERR_NETWORK with what is wrong, without the URL. ERR_INTERRUPT with `enough`: the sink wants no more. */
MUST_USE Err completion_add(Completion *c, Str bytes);
/* No more comes. ERR_NETWORK: it was cut, or is none. */
MUST_USE Err completion_end(Completion *c);
void completion_free(Completion *c);

#endif

/* followup.h - a question within a conversation, made one that can be searched for by itself.
 *
 * "And how long is it open?" has nothing to be found by. With a writer that reads, it is asked to put the question
 * anew; what it makes of it is only used to search and to ask, never shown as said. Without one the topic goes along:
 * when the question points back ("it", "they", "that") or has fewer than two words of its own, the words of the
 * question before it that it has not are put behind it.
 *
 * Threads: one.
 */
#ifndef PYTHIA_ANSWER_FOLLOWUP_H
#define PYTHIA_ANSWER_FOLLOWUP_H

#include "answer/writer.h"

enum { FOLLOWUP_TURNS = 4, FOLLOWUP_BYTES_MAX = 600 }; /* that are looked back; of a question that a writer puts anew */

typedef struct {
    Str question; /* as it was understood */
    Str answer;   /* "": there was none */
} Turn;

/* turns: [n] oldest first. writer NULL, or one that only quotes: by words. *out is the question itself where nothing is
 * to be added. Errors: ERR_NOMEM, the writer's. */
MUST_USE Err followup_question(Arena *a, const Turn *turns, size_t n, Str question, Writer *writer,
                               const Deadline *deadline, Str *out);

#endif

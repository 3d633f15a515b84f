/* generate_chat.h - a chat turned into the prompt that a model's template makes of it. Private to the room.
 *
 * Whoever writes a message, or the document quoted in one, must not end a turn or begin one by spelling a control token
 * ("<|im_end|>"): the tokenizer would take it for the template's own. So what stands in contents is told apart from
 * what the template wrote, and encoded as text (tok_encode_plain).
 *
 * Threads: none of its own.
 */
#ifndef PYTHIA_MODEL_GENERATE_CHAT_H
#define PYTHIA_MODEL_GENERATE_CHAT_H

#include "model/generate.h"
#include "model/template.h"

typedef struct {
    Buf text;      /* UTF-8 */
    size_t *plain; /* [n_plain] bytes of text, ascending: a control token spelled there came out of the chat */
    size_t n_plain;
} ChatPrompt;

/* Into an empty out, which is freed by chat_prompt_free, after an error too. ERR_INPUT: a message that is not UTF-8, or
 * all of U+FDD0 to U+FDEF in one chat; what template_render says. Cost: the template's, 2 ns a byte of the chat. */
MUST_USE Err chat_render(const Template *t, const Model *m, const GenerateChat *chat, ChatPrompt *out);
void chat_prompt_free(ChatPrompt *p);

#endif

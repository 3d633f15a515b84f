/* tok.h - tokenizers: text in, token ids out, exactly as the model's reference tokenizer gives them.
 *
 * A tokenizer is read from a GGUF: `tokenizer.ggml.model` names its kind ("bert": WordPiece; "gpt2": byte-level BPE;
 * "llama": SentencePiece BPE; "t5": Unigram; tok_*.c). A new kind is one file and one line in tok_kinds (tok.c).
 *
 * Threads: a Tok is immutable once open; any number of threads may use one.
 * Memory: the Gguf must outlive the Tok: token texts stay in its map.
 */
#ifndef PYTHIA_MODEL_TOK_H
#define PYTHIA_MODEL_TOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "model/gguf.h"

typedef struct Tok Tok;

/* Ids of tokens with a meaning of their own; -1 where the vocabulary has none. cls and sep are what tok_encode puts
 * before and behind a text, -1 where the model wants nothing there; bos and eos are named even so (eos ends a generated
 * text). */
typedef struct {
    int32_t cls, sep, unk, pad, mask, bos, eos;
} TokSpecial;

/* Reads the vocabulary and builds its index. Cost: 2 ms and 1.2 MB for 30,522 tokens. Errors: ERR_UNSUPPORTED names the
 * kind and those known; ERR_CORRUPT a vocabulary that cannot be (missing keys, ids outside, too many, too long);
 * ERR_NOMEM. */
MUST_USE Err tok_open(Tok **out, const Gguf *g);
void tok_close(Tok *t); /* NULL is fine */

/* The ids of text; special: with the kind's own around it ([CLS] … [SEP]). At most cap are written to ids (NULL when
 * cap is 0), in order from the first; *n is how many there are. Any bytes are text: ill-formed UTF-8 counts as U+FFFD.
 * Cost: WordPiece 0.02 ms a KB of code, no memory. Errors: ERR_NOMEM (kinds that take some). */
MUST_USE Err tok_encode(const Tok *t, Str text, bool special, int32_t *ids /* [cap] */, size_t cap, size_t *n);

/* tok_encode without special tokens around a text, in which control tokens do not count as such at the bytes plain:
 * what somebody wrote who must not end a turn. UTF-8; plain ascending. */
MUST_USE Err tok_encode_plain(const Tok *t, Str text, const size_t *plain /* [n_plain] */, size_t n_plain,
                              int32_t *ids /* [cap] */, size_t cap, size_t *n);

/* The next byte of text at or behind `from` where a control token is spelled, or begun so that what may come behind the
 * text completes it (white space at the text's end not counted: it may be cut off). False: none. Cost: 1 ns a byte. */
bool tok_find_control(const Tok *t, Str text, size_t from, size_t *at);

/* tok_encode for who takes no more than cap ids: of a text that has far more only the front is looked at, so that 10 MB
 * cost what 64 KB do (BPE: 5 ms instead of 4 s and 540 MB for one word). The ids are those of the whole; *n is only
 * more than cap. */
MUST_USE Err tok_encode_front(const Tok *t, Str text, bool special, int32_t *ids /* [cap] */, size_t cap, size_t *n);

/* How many ids tok_encode gives without special ones around. Never fails. */
size_t tok_count(const Tok *t, Str text);

size_t tok_vocab_size(const Tok *t);
const TokSpecial *tok_special(const Tok *t);

/* A token as the reference's vocabulary spells it ("##ing", "[CLS]"), for people and `tokenize --json`; {"",0} for an
 * id outside the vocabulary. Borrowed from the Tok. */
Str tok_text(const Tok *t, int32_t id);

/* Can tokens be turned back into text? Not with kinds that lose some (WordPiece, Unigram): no model of theirs
 * generates. */
bool tok_decodes(const Tok *t);

/* A token with a meaning of its own ("<bos>", "<|im_end|>", unknown): no part of a text. */
bool tok_is_control(const Tok *t, int32_t id);

/* Appends the bytes that a token stands for, not necessarily whole characters; nothing for control tokens, unless
 * `control` asks for their spelling, and for ids outside the vocabulary. Only where tok_decodes. buf_ok tells of
 * memory. */
void tok_decode(const Tok *t, int32_t id, bool control, Buf *out);

/* The kind's name: "bert". */
const char *tok_kind(const Tok *t);

#endif

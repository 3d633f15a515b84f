/* tok_bpe_nfc.h - the canonical composition of a text, as the reference tokenizer of Qwen and ModernBERT makes it. */
#ifndef PYTHIA_MODEL_TOK_BPE_NFC_H
#define PYTHIA_MODEL_TOK_BPE_NFC_H

#include "base/arena.h"
#include "base/str.h"

/* *out is text itself where that is composed already (ASCII, most of all there is: ~1 ns a byte), or a copy in the
 * arena. text is well-formed. Errors: ERR_NOMEM. */
MUST_USE Err tok_nfc(Str text, Arena *a, Str *out);

#endif

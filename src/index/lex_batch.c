/* lex_batch.c - documents analysed beside an index: a writer's memory (lex_buffer.h) without the writer, and what its
 * terms are called in the index that it goes into.
 *
 * One batch after the other goes through the same memory, which is given back where a large one left much of it: many
 * stand side by side.
 */
#include <stdlib.h>

#include "index/lex_view.h"

/* What a lot of some 32 KB takes. */
enum { KEEP_OCCURRENCES = 1 << 13, KEEP_TERMS = 1 << 11 };

struct LexBatch {
    LexBuffer buffer;
    const LexIndex *index; /* that numbers are of, while its memory was emptied so often; NULL: of none */
    uint64_t buffers;
    uint32_t *numbers; /* [cap_numbers] */
    size_t cap_numbers;
};

static Err memory_out(void) { return err_set(ERR_NOMEM, "out of memory for documents on their way into the index"); }

Err lex_batch_open(LexBatch **out) {
    *out = calloc(1, sizeof **out);
    return *out ? ERR_OK : memory_out();
}

void lex_batch_close(LexBatch *b) {
    if (!b) return;
    lex_buffer_clear(&b->buffer);
    free(b->numbers);
    free(b);
}

void lex_batch_clear(LexBatch *b) {
    b->index = NULL;
    if (b->buffer.cap > KEEP_OCCURRENCES || b->buffer.terms.cap > KEEP_TERMS)
        lex_buffer_clear(&b->buffer);
    else
        lex_buffer_reset(&b->buffer);
}

/* Ids are given when it goes into an index. */
Err lex_batch_add(LexBatch *b, Analyzer *a, const Str fields[LEX_FIELDS]) {
    b->index = NULL; /* there may be more terms now */
    return lex_buffer_add(&b->buffer, a, 0, fields);
}

uint32_t lex_batch_size(const LexBatch *b) { return b->buffer.docs; }

const LexBuffer *lex_batch_buffer(const LexBatch *b) { return &b->buffer; }

Err lex_batch_numbers(LexBatch *b, const LexIndex *ix, uint32_t **numbers) {
    const size_t terms = b->buffer.terms.count;
    if (b->index != ix || b->buffers != ix->buffers) {
        if (terms > b->cap_numbers) {
            uint32_t *more = realloc(b->numbers, b->buffer.terms.cap * sizeof *more);
            if (!more) return memory_out();
            b->numbers = more;
            b->cap_numbers = b->buffer.terms.cap;
        }
        for (size_t t = 0; t < terms; t++) b->numbers[t] = LEX_NO_TERM;
        b->index = ix;
        b->buffers = ix->buffers;
    }
    *numbers = b->numbers;
    return ERR_OK;
}

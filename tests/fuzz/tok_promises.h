/* tok_promises.h - what tok.h promises of any vocabulary that opens, on any text. For the fuzz targets of its kinds. */
#ifndef PYTHIA_FUZZ_TOK_PROMISES_H
#define PYTHIA_FUZZ_TOK_PROMISES_H

#include <stdlib.h>

#include "base/utf8.h"
#include "model/tok.h"

static inline void must(bool holds) {
    if (!holds) abort();
}

static inline void tok_promises(const Tok *t, Str text) {
    enum { IDS_MAX = 1 << 15 };
    static int32_t ids[IDS_MAX], again[IDS_MAX];
    size_t n = 0, n_again = 0;
    must(tok_encode(t, text, false, ids, IDS_MAX, &n) == ERR_OK);
    must(tok_count(t, text) == n);
    must(n <= 512 * text.n); /* a replacement of 128 bytes for each byte, three or more ids for each of its */
    for (size_t i = 0; i < n && i < IDS_MAX; i++) must(ids[i] >= 0 && (size_t)ids[i] < tok_vocab_size(t));

    must(tok_encode(t, text, true, again, IDS_MAX, &n_again) == ERR_OK);
    must(n_again >= n && n_again <= n + 2);

    /* Half the room: the same ids from the first. */
    must(tok_encode(t, text, false, again, n / 2, &n_again) == ERR_OK);
    must(n_again == n && memcmp(ids, again, (n / 2 < IDS_MAX ? n / 2 : IDS_MAX) * sizeof *ids) == 0);

    /* Ill-formed bytes count as U+FFFD. */
    Buf repaired = {0};
    utf8_repair(&repaired, text);
    must(tok_encode(t, buf_str(&repaired), false, again, IDS_MAX, &n_again) == ERR_OK);
    must(n_again == n && memcmp(ids, again, (n < IDS_MAX ? n : IDS_MAX) * sizeof *ids) == 0);
    buf_free(&repaired);
}

/* Opens what was set in w, which is closed, and holds it to the promises. */
static inline void tok_promises_made(GgufWriter *w, Str text) {
    Buf bytes = {0};
    Gguf *g = NULL;
    Tok *t = NULL;
    if (!gguf_writer_bytes(w, &bytes) && !gguf_open_bytes(&g, buf_str(&bytes), "fuzz") && !tok_open(&t, g))
        tok_promises(t, text);
    gguf_writer_close(w);
    tok_close(t);
    gguf_close(g);
    buf_free(&bytes);
}

/* Cuts a list of texts, 0x1F between and 0x1E behind; returns how many of at most max. */
static inline size_t tok_list_cut(Str *rest, Str *out /* [max] */, size_t max) {
    Str list = {"", 0};
    size_t n = 0;
    if (!str_cut(rest, 0x1E, &list)) return 0;
    while (n < max && str_cut(&list, 0x1F, &out[n])) n++;
    return n;
}

#endif

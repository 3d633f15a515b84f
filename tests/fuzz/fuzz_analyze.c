/* Any bytes through the analyser: terms are valid UTF-8 of at most 128 bytes without blanks or quotes, spans lie in the
 * text and starts never fall; the same bytes give the same terms. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "index/analyze.h"

typedef struct {
    Str text;
    size_t last_start, count;
    uint64_t sum;
} Seen;

static void need(bool holds) {
    if (!holds) abort();
}

static int see(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    Seen *s = ctx;
    need(term.n > 0 && term.n <= 128 && utf8_valid(term));
    for (size_t i = 0; i < term.n; i++) need((uint8_t)term.p[i] > ' ' && term.p[i] != '"');
    need(start < end && end <= s->text.n);
    need(colocated ? s->count > 0 : start >= s->last_start);
    s->last_start = start;
    s->count++;
    for (size_t i = 0; i < term.n; i++) s->sum = s->sum * 31 + (uint8_t)term.p[i];
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Analyzer *a;
    if (!a && analyzer_open(&a)) abort();
    const Str text = str_make((const char *)data, size);
    Seen first = {.text = text}, second = {.text = text};
    need(analyzer_run(a, text, see, &first) == 0);
    need(analyzer_run(a, text, see, &second) == 0);
    need(first.sum == second.sum && first.count == second.count);
    return 0;
}

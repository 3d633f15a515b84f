/* Any bytes as a question: what the operators make of it, and as a passage to be quoted from. Never a crash; what is
 * kept is a part of what was given, spans are in order and apart. */
#include <stdlib.h>

#include "answer/expect.h"
#include "answer/spans.h"
#include "search/query.h"

static void need(bool holds) {
    if (!holds) abort();
}

static void check_query(Str text) {
    Arena a = {0};
    Query q;
    const Err err = query_parse(&a, text, INT64_C(1764504000000), &q);
    need(err == ERR_OK || err == ERR_USAGE || err == ERR_LIMIT);
    if (!err) {
        need(q.words.n <= 2 * text.n + 2 && q.meaning.n <= 2 * text.n + 2);
        need(str_trim(q.meaning).n > 0 && q.n_names <= QUERY_NAMES);
        need(q.n_in + q.narrow.n_langs + q.narrow.n_kinds + q.narrow.n_globs + q.narrow.n_symbols <= QUERY_NARROWING);
        const float met = expect_met(expect_of(q.meaning), q.meaning, text);
        need(met >= 0 && met <= 1);
    }
    const Err plain = query_plain(&a, text, &q);
    need(plain == ERR_OK || plain == ERR_USAGE || plain == ERR_LIMIT);
    if (!plain) need(filter_is_empty(&q.narrow) && q.n_in == 0);
    arena_free(&a);
}

static void check_spans(Str text, bool prose) {
    Arena a = {0};
    Span *spans = NULL;
    size_t n = 0, at = 0;
    need(spans_of(&a, text, prose, &spans, &n) == ERR_OK);
    for (size_t i = 0; i < n; i++) {
        need(spans[i].start >= at && spans[i].end > spans[i].start && spans[i].end <= text.n);
        need(spans[i].end - spans[i].start <= SPAN_BYTES_MAX);
        at = spans[i].end;
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const Str text = str_make((const char *)data, size);
    check_query(text);
    check_spans(text, true);
    check_spans(text, false);
    return 0;
}

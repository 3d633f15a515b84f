/* Any bytes as what a service answers, and as what a writer says of a source: never a crash, never more than was said,
 * and whatever is shown has valid citations. The first byte is the size of the pieces that it comes in. */
#include <stdlib.h>

#include "answer/completion.h"
#include "answer/compose.h"

static void need(bool holds) {
    if (!holds) abort();
}

static bool count(void *ctx, Str piece) {
    need(piece.n > 0);
    *(size_t *)ctx += piece.n;
    return true;
}

static void check_completion(Str bytes, size_t step) {
    size_t n = 0;
    Completion c;
    Err err = ERR_OK;
    completion_begin(&c, count, &n);
    for (size_t at = 0; !err && at < bytes.n; at += step) err = completion_add(&c, str_upto(str_from(bytes, at), step));
    if (!err) err = completion_end(&c);
    need(err == ERR_OK || err == ERR_NETWORK);
    need(c.written == n && n <= 3 * bytes.n); /* an escape of six bytes is three at most */
    need((c.tokens_read < 0) == (c.tokens_written < 0) && c.tokens_read >= -1 && c.tokens_read <= 1 << 30);
    completion_free(&c);
}

typedef struct {
    Writer base;
    Str text;
    size_t step;
} Echo;

static Err echo(Writer *w, const WriterJob *job) {
    const Echo *e = (const Echo *)(const void *)w;
    for (size_t at = 0; at < e->text.n; at += e->step)
        if (!job->sink(job->ctx, str_upto(str_from(e->text, at), e->step))) return ERR_OK;
    return ERR_OK;
}

static const WriterKind echo_kind = {.name = "echo", .write = echo};

/* The first line is the source. */
static void check_answer(Str bytes, size_t step, Analyzer *analyzer) {
    Arena a = {0};
    Str rest = bytes, line;
    Composed composed;
    if (!str_line(&rest, &line)) return;
    SearchHit hit = {.content = line};
    const SearchSource source = {.analyzer = analyzer};
    Echo writer = {{.kind = &echo_kind}, rest, step};
    const ComposeRequest rq = {.searched = &source, .n_searched = 1, .hits = &hit, .n = 1, .writer = &writer.base};
    need(answer_compose(&a, &rq, &composed) == ERR_OK);
    const Answer answer = {.citations = composed.citations, .n = composed.n};
    need(answer_check(&answer, &hit, 1));
    need((composed.text.n == 0) == (composed.n == 0));
    Prompt prompt;
    need(prompt_make(&a, &hit, 1, STR("q"), &prompt) == ERR_OK);
    need(str_find(prompt.user, STR("<|")) < 0);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Analyzer *analyzer;
    if (size < 1 || size > 16 << 10) return 0;
    if (!analyzer) need(analyzer_open(&analyzer) == ERR_OK);
    const Str bytes = str_make((const char *)data + 1, size - 1);
    const size_t step = data[0] % 64u + 1;
    check_completion(bytes, step);
    check_answer(bytes, step, analyzer);
    return 0;
}

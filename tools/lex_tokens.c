/* lex_tokens.c - the analyser as a filter: {"id","text"} a line in, {"id","terms":[...]} a line out, so that a BM25
 * library can be run on the very terms of our lexical index and their rankings compared.
 *
 *     lex_tokens < corpus.jsonl > terms.jsonl
 *
 * "title", when there is one, stands before the text. With --positions terms at the position of the term before (the
 * whole of an identifier beside its first part) are left out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "index/analyze.h"

typedef struct {
    JsonOut *out;
    bool positions;
} Terms;

static int add_term(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    (void)start;
    (void)end;
    Terms *t = ctx;
    if (!colocated || !t->positions) jout_str(t->out, term);
    return 0;
}

static Err line_convert(Analyzer *a, Str line, bool positions, Buf *out) {
    json_t *object = NULL;
    Str id = STR(""), title = STR(""), text = STR("");
    TRY(json_read(line, "line", &object));
    Err err = json_get_str(object, "id", &id);
    if (!err) err = json_get_str(object, "title", &title);
    if (!err) err = json_get_str(object, "text", &text);
    if (!err) {
        JsonOut j = jout_to(out);
        Terms terms = {&j, positions};
        jout_begin(&j, '{');
        jout_kv_str(&j, "id", id);
        jout_key(&j, "terms");
        jout_begin(&j, '[');
        (void)analyzer_run(a, title, add_term, &terms);
        (void)analyzer_run(a, text, add_term, &terms);
        jout_end(&j, ']');
        jout_end(&j, '}');
        buf_char(out, '\n');
        err = buf_ok(out);
    }
    json_decref(object);
    return err;
}

int main(int argc, char **argv) {
    const bool positions = argc > 1 && strcmp(argv[1], "--positions") == 0;
    Analyzer *a = NULL;
    Err err = analyzer_open(&a);
    Buf out = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t n = 0;
    while (!err && (n = getline(&line, &room, stdin)) > 0) {
        buf_clear(&out);
        err = line_convert(a, str_make(line, (size_t)n), positions, &out);
        if (!err && fwrite(out.p, 1, out.n, stdout) != out.n) err = err_set(ERR_IO, "cannot write to stdout");
    }
    if (err) fprintf(stderr, "lex_tokens: %s\n", err_text());
    free(line);
    buf_free(&out);
    analyzer_close(a);
    return err_exit_code(err);
}

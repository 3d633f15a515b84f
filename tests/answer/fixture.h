/* Hits made by hand, judged by words alone, as in a collection without vectors. */
#ifndef PYTHIA_TESTS_ANSWER_FIXTURE_H
#define PYTHIA_TESTS_ANSWER_FIXTURE_H

#include "answer/answer.h"
#include "base/file.h"
#include "check.h"

enum { FIXTURE_HITS = 8 };

typedef struct {
    Arena arena;
    char dir[512];
    LexIndex *lex;
    Analyzer *analyzer;
    SearchSource source;
    SearchHit hits[FIXTURE_HITS]; /* a text with a brace in it is code */
} Fixture;

static void fixture_open(Fixture *f, const char *const *texts, size_t n) {
    uint32_t number, count;
    *f = (Fixture){.source = {0}};
    (void)snprintf(f->dir, sizeof f->dir, "%s", check_temp_dir());
    CHECK_OK(analyzer_open(&f->analyzer));
    CHECK_OK(lex_open(&f->lex, &(LexSpec){.dir = f->dir, .generation = 1, .writer = true}));
    for (size_t i = 0; i < n; i++) {
        const Str fields[LEX_FIELDS] = {STR(""), STR(""), STR(""), str_of(texts[i])};
        CHECK_OK(lex_add(f->lex, f->analyzer, (int64_t)i + 1, fields, &number));
        f->hits[i] = (SearchHit){.content = str_of(texts[i]), .score = 0.5f, .bm25 = 8};
        f->hits[i].chunk.start_line = 10;
        f->hits[i].chunk.lang = strchr(texts[i], '{') ? STR("c") : STR("text");
    }
    CHECK_OK(lex_sync(f->lex, &count));
    f->source = (SearchSource){.lex = f->lex, .analyzer = f->analyzer};
}

static void fixture_close(Fixture *f) {
    lex_close(f->lex);
    analyzer_close(f->analyzer);
    CHECK_OK(file_remove_tree(f->dir));
    arena_free(&f->arena);
}

#endif

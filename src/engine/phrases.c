/* phrases.c - see phrases.h. */
#include "engine/phrases.h"

#include "base/hash.h"

typedef struct {
    uint64_t hash;
    size_t start, end;
} Word;

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* The word at or behind *at; false: there is none. FNV-1a over its lower-case bytes: phrases of at least three words
 * are compared by all their hashes. */
static bool word_next(Str text, size_t *at, Word *out) {
    while (*at < text.n && !is_word(text.p[*at])) (*at)++;
    *out = (Word){.hash = UINT64_C(0xCBF29CE484222325), .start = *at};
    for (; *at < text.n && is_word(text.p[*at]); (*at)++) {
        const char c = text.p[*at];
        const unsigned char lower = (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        out->hash = (out->hash ^ lower) * UINT64_C(0x100000001B3);
    }
    out->end = *at;
    return out->end > out->start;
}

size_t phrase_words(Str text) {
    size_t n = 0, at = 0;
    Word w;
    while (word_next(text, &at, &w)) n++;
    return n;
}

static Err words_of(Arena *a, Str text, Word **out, size_t *n) {
    size_t at = 0;
    *n = 0;
    *out = arena_array(a, Word, phrase_words(text) + 1);
    if (!*out) return arena_error();
    while (word_next(text, &at, &(*out)[*n])) (*n)++;
    return ERR_OK;
}

static uint64_t hash_of_first(const uint64_t *words) {
    return words[0] * 3 + words[1] * UINT64_C(0x9E3779B97F4A7C15) + (words[2] ^ words[2] >> 29) * 7;
}

static Err room(Phrases *p) {
    if (p->n < p->cap) return ERR_OK;
    const size_t cap = p->cap ? 2 * p->cap : 256;
    Phrase *more = arena_array(p->a, Phrase, cap);
    if (!more) return arena_error();
    if (p->n) memcpy(more, p->phrases, p->n * sizeof *more);
    p->phrases = more;
    p->cap = cap;
    return ERR_OK;
}

Err phrases_add(Phrases *p, Str text) {
    size_t at = 0;
    Word w;
    TRY(room(p));
    Phrase *phrase = &p->phrases[p->n];
    *phrase = (Phrase){.words = arena_array(p->a, uint64_t, phrase_words(text))};
    if (!phrase->words) return arena_error();
    while (word_next(text, &at, &w)) phrase->words[phrase->n++] = w.hash;
    p->n++;
    if (phrase->n < PHRASE_WORDS_LEAST) return ERR_OK;
    uint64_t *key = arena_new(p->a, uint64_t);
    if (!key) return arena_error();
    *key = hash_of_first(phrase->words);
    uint64_t *last = map_at(&p->first, str_make((const char *)key, sizeof *key), 0);
    if (!last) return ERR_NOMEM;
    phrase->next = (size_t)*last;
    *last = p->n;
    return ERR_OK;
}

static bool stands(const Phrase *phrase, const Word *words, size_t n) {
    if (phrase->n > n) return false;
    for (size_t i = 0; i < phrase->n; i++)
        if (phrase->words[i] != words[i].hash) return false;
    return true;
}

Err phrases_find(const Phrases *p, Str text, PhraseFn found, void *ctx) {
    Arena scratch = {0};
    Word *words = NULL;
    size_t n = 0;
    const Err err = words_of(&scratch, text, &words, &n);
    for (size_t i = 0; !err && i + PHRASE_WORDS_LEAST <= n; i++) {
        const uint64_t three[] = {words[i].hash, words[i + 1].hash, words[i + 2].hash};
        const uint64_t key = hash_of_first(three);
        const uint64_t *at = map_get(&p->first, str_make((const char *)&key, sizeof key));
        for (size_t number = at ? (size_t)*at : 0; number; number = p->phrases[number - 1].next) {
            const Phrase *phrase = &p->phrases[number - 1];
            if (stands(phrase, words + i, n - i)) found(ctx, number - 1, words[i].start, words[i + phrase->n - 1].end);
        }
    }
    arena_free(&scratch);
    return err;
}

void phrases_free(Phrases *p) { map_free(&p->first); }

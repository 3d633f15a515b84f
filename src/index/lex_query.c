/* lex_query.c - what a user writes, as clauses. Only words, quotes and, where asked for, + - * mean anything. */
#include "base/ascii.h"
#include "base/english.h"
#include "index/lex.h"

#include "base/map.h"

enum { WORDS_MAX = LEX_CLAUSES_MAX - 32 }; /* a phrase behind many words must stand all the same */
/* What "how", "does", "with" count beside other words. In code they are as rare as names are, so their idf takes them
 * for what the question is about; left out altogether they are missed in titles and comments (docs/adr/0017). */
static const float ASKING_WEIGHT = 0.4f;

typedef struct {
    Arena *arena;
    Analyzer *analyzer;
    LexClause *clauses; /* [LEX_CLAUSES_MAX] */
    size_t n;
    Str text;   /* that is being read */
    Map seen;   /* a plain word's term -> its clause */
    Str *terms; /* [LEX_PHRASE_MAX] of the piece that is being read, those at their own positions */
    size_t n_terms;
    Str whole; /* the last term that shares its position with another: an identifier as it was written */
    Err err;
} Reader;

static Str term_keep(Reader *r, Str term) {
    const Str kept = arena_str(r->arena, term);
    if (!kept.p) r->err = arena_error();
    return kept;
}

static int word_note(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    (void)colocated;
    Reader *r = ctx;
    const float weight = english_only_asks(str_make(r->text.p + start, end - start)) ? ASKING_WEIGHT : 1;
    const uint64_t *place = map_get(&r->seen, term);
    if (place) {
        r->clauses[*place].weight += weight;
        return 0;
    }
    if (r->n >= WORDS_MAX) return 0; /* words further on may still repeat one */
    Str *kept = arena_new(r->arena, Str);
    if (!kept) r->err = arena_error();
    if (kept) *kept = term_keep(r, term);
    if (!r->err) r->err = map_put(&r->seen, *kept, r->n);
    if (r->err) return 1;
    r->clauses[r->n++] = (LexClause){LEX_TERM, LEX_SHOULD, kept, 1, weight};
    return 0;
}

static int piece_note(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    (void)start;
    (void)end;
    Reader *r = ctx;
    if (colocated && r->n_terms) {
        r->whole = term_keep(r, term);
    } else if (r->n_terms < LEX_PHRASE_MAX) {
        r->terms[r->n_terms++] = term_keep(r, term);
    }
    return r->err != ERR_OK;
}

static Err text_add(Reader *r, Str text) {
    r->text = text;
    (void)analyzer_run(r->analyzer, text, word_note, r);
    return r->err;
}

/* The terms of a piece of text as one clause; a piece without a word is none. An identifier's whole stands where its
 * first part does, so a phrase need not ask for it. */
static Err piece_add(Reader *r, Str text, LexKind kind, LexOccur occur) {
    r->n_terms = 0;
    r->whole = (Str){0};
    (void)analyzer_run(r->analyzer, text, piece_note, r);
    TRY(r->err);
    if (r->n_terms == 0 || r->n == LEX_CLAUSES_MAX) return ERR_OK;
    const bool prefix = kind == LEX_PREFIX;
    const size_t n = prefix ? 1 : r->n_terms;
    Str *terms = arena_array(r->arena, Str, n);
    if (!terms) return arena_error();
    memcpy(terms, r->terms, n * sizeof *terms);
    if (prefix) terms[0] = r->whole.n ? r->whole : r->terms[r->n_terms - 1];
    if (!prefix) kind = n > 1 ? LEX_PHRASE : LEX_TERM;
    r->clauses[r->n++] = (LexClause){kind, occur, terms, n, 1};
    return ERR_OK;
}

/* One word between blanks, with what stands around it. */
static Err word_add(Reader *r, Str word, bool operators) {
    LexOccur occur = LEX_SHOULD;
    if (operators && word.n > 1 && (word.p[0] == '+' || word.p[0] == '-')) {
        occur = word.p[0] == '+' ? LEX_MUST : LEX_MUST_NOT;
        word = str_from(word, 1);
    }
    const bool prefix = operators && word.n > 1 && word.p[word.n - 1] == '*';
    if (prefix) return piece_add(r, str_upto(word, word.n - 1), LEX_PREFIX, occur);
    if (occur != LEX_SHOULD) return piece_add(r, word, LEX_TERM, occur);
    return text_add(r, word);
}

static Err words_add(Reader *r, Str text, bool operators) {
    if (!operators) return text_add(r, text);
    for (size_t at = 0; at < text.n;) {
        size_t end = at;
        while (end < text.n && !is_blank(text.p[end])) end++;
        if (end > at) TRY(word_add(r, str_make(text.p + at, end - at), operators));
        at = end + 1;
    }
    return ERR_OK;
}

/* What stands right before a quote says how the phrase is meant. */
static LexOccur phrase_occur(Str *before, bool operators) {
    const char last = before->n ? before->p[before->n - 1] : ' ';
    if (!operators || (last != '-' && last != '+')) return LEX_MUST;
    if (before->n > 1 && !is_blank(before->p[before->n - 2])) return LEX_MUST;
    before->n--;
    return last == '-' ? LEX_MUST_NOT : LEX_MUST;
}

static Err query_read(Reader *r, Str text, bool operators) {
    Str rest = text;
    while (rest.n) {
        const ptrdiff_t open = str_find_char(rest, '"');
        const Str behind = open < 0 ? (Str){0} : str_from(rest, (size_t)open + 1);
        const ptrdiff_t close = open < 0 ? -1 : str_find_char(behind, '"');
        if (close < 0) return words_add(r, rest, operators);
        Str before = str_upto(rest, (size_t)open);
        const LexOccur occur = phrase_occur(&before, operators);
        TRY(words_add(r, before, operators));
        TRY(piece_add(r, str_upto(behind, (size_t)close), LEX_PHRASE, occur));
        rest = str_from(behind, (size_t)close + 1);
    }
    return ERR_OK;
}

Err lex_query_read(Arena *arena, Analyzer *a, Str text, bool operators, LexQuery *out) {
    Reader r = {.arena = arena, .analyzer = a};
    *out = (LexQuery){0};
    r.clauses = arena_array(arena, LexClause, LEX_CLAUSES_MAX);
    r.terms = arena_array(arena, Str, LEX_PHRASE_MAX);
    if (!r.clauses || !r.terms) return arena_error();
    const Err err = query_read(&r, text, operators);
    map_free(&r.seen);
    if (!err) *out = (LexQuery){r.clauses, r.n};
    return err;
}

/* context.c - see context.h. */
#include "answer/context.h"

#include "answer/prompt.h"
#include "search/evidence.h"
#include "search/fresh.h"

static const float MMR_SCORE = 0.7f;
static const float LEAST = 0.4f; /* of the best hit's score: below it a passage would only distract */
static const float SAME = 0.95f; /* likeness from which a passage says nothing new */

typedef struct {
    const SearchHit *hit;
    Evidence words;
    float like; /* to the likest of those taken */
    bool spent; /* taken or left out */
} Passage;

typedef struct {
    Arena *a;
    const ContextRequest *rq;
    Passage *passages; /* [n] */
    size_t n;
    size_t *tokens; /* [CONTEXT_SOURCES_MAX] of each block taken */
    Context *out;
    bool failed; /* memory */
} Select;

/* ---- counting ---- */

static size_t block_tokens(Select *s, size_t number, const SearchHit *hit) {
    Buf b = {0};
    prompt_source(&b, number, hit);
    if (b.failed) s->failed = true;
    const size_t n = s->rq->count(s->rq->count_ctx, buf_str(&b));
    buf_free(&b);
    return n;
}

/* Blocks beside each other may make other tokens where they meet. */
static size_t all_tokens(Select *s) {
    Buf b = {0};
    for (size_t i = 0; i < s->out->n; i++) prompt_source(&b, i + 1, &s->out->hits[i]);
    if (b.failed) s->failed = true;
    const size_t n = s->rq->count(s->rq->count_ctx, buf_str(&b));
    buf_free(&b);
    return n;
}

/* ---- lines around a part of a text ---- */

static size_t line_before(Str text, size_t at) {
    while (at > 0 && text.p[at - 1] != '\n') at--;
    return at;
}

/* [*from, *to) and so many whole lines more on both sides. */
static void widen(Str text, size_t lines, size_t *from, size_t *to) {
    *from = line_before(text, *from);
    for (size_t i = 0; i<lines && * from> 0; i++) *from = line_before(text, *from - 1);
    for (size_t i = 0; i <= lines && *to < text.n; i++) {
        if (*to > 0 && text.p[*to - 1] == '\n' && i == 0) continue; /* it ends with its line */
        const ptrdiff_t next = str_find_char(str_from(text, *to), '\n');
        *to = next < 0 ? text.n : *to + (size_t)next + 1;
    }
}

static int32_t breaks_in(Str text) {
    int32_t n = 0;
    for (size_t i = 0; i < text.n; i++) n += text.p[i] == '\n';
    return n;
}

/* The hit as bytes [from, to) of its content. */
static SearchHit part_of(const SearchHit *whole, size_t from, size_t to) {
    SearchHit part = *whole;
    const Str before = str_upto(whole->content, from);
    while (to > from && whole->content.p[to - 1] == '\n') to--;
    part.content = str_make(whole->content.p + from, to - from);
    part.chunk.start += (int64_t)from;
    part.chunk.end = part.chunk.start + (int64_t)(to - from);
    part.chunk.start_line += breaks_in(before);
    part.chunk.end_line = part.chunk.start_line + breaks_in(part.content);
    return part;
}

/* The longest beginning of whole lines that fits into so many tokens; empty content: none does. */
static SearchHit cut_to(Select *s, size_t number, const SearchHit *hit, size_t tokens) {
    const size_t lines = (size_t)breaks_in(hit->content) + 1;
    size_t fits = 0, most = lines;
    SearchHit best = part_of(hit, 0, 0);
    while (fits < most) {
        const size_t n = (fits + most + 1) / 2;
        size_t to = 0;
        for (size_t i = 0; i < n; i++) {
            const ptrdiff_t next = str_find_char(str_from(hit->content, to), '\n');
            to = next < 0 ? hit->content.n : to + (size_t)next + 1;
        }
        const SearchHit part = part_of(hit, 0, to);
        if (block_tokens(s, number, &part) <= tokens)
            fits = n, best = part;
        else
            most = n - 1;
    }
    return best;
}

/* ---- which ones ---- */

static bool overlaps(const Select *s, const SearchHit *hit) {
    for (size_t i = 0; i < s->out->n; i++) {
        const SearchHit *o = &s->out->hits[i];
        if (o->collection == hit->collection && o->chunk.doc_id == hit->chunk.doc_id &&
            hit->chunk.start < o->chunk.end && o->chunk.start < hit->chunk.end)
            return true;
    }
    return false;
}

static Passage *next_best(Select *s) {
    Passage *best = NULL;
    float most = 0;
    for (size_t i = 0; i < s->n; i++) {
        Passage *p = &s->passages[i];
        const float value = MMR_SCORE * p->hit->score - (1 - MMR_SCORE) * p->like;
        if (p->spent || (best && value <= most)) continue;
        best = p;
        most = value;
    }
    return best;
}

static void likeness_follow(Select *s, Str taken) {
    for (size_t i = 0; i < s->n; i++) {
        Passage *p = &s->passages[i];
        if (p->spent) continue;
        const float like = evidence_share(&p->words, taken);
        if (like > p->like) p->like = like;
    }
}

static void take(Select *s, const Passage *p, const SearchHit *hit, size_t tokens) {
    Context *out = s->out;
    out->of[out->n] = (size_t)(p->hit - s->rq->hits);
    out->hits[out->n] = *hit;
    s->tokens[out->n++] = tokens;
    out->tokens += tokens;
    likeness_follow(s, hit->content);
}

static void choose(Select *s) {
    for (Passage *p; s->out->n < CONTEXT_SOURCES_MAX && (p = next_best(s));) {
        const size_t left = s->rq->budget - s->out->tokens, number = s->out->n + 1;
        p->spent = true;
        if (p->like > SAME || overlaps(s, p->hit)) continue;
        size_t tokens = block_tokens(s, number, p->hit);
        if (tokens <= left) {
            take(s, p, p->hit, tokens);
            continue;
        }
        if (s->out->n) continue; /* a shorter one may fit yet */
        const SearchHit cut = cut_to(s, number, p->hit, left);
        if (cut.content.n) take(s, p, &cut, block_tokens(s, number, &cut));
    }
}

/* ---- what stands around them ---- */

/* Which of the sources a hit is from. */
static Err source_place(const Select *s, const SearchHit *hit, uint32_t *out) {
    for (size_t k = 0; k < s->rq->n_sources; k++) {
        *out = (uint32_t)k;
        if (s->rq->sources[k].collection == hit->collection) return ERR_OK;
    }
    return err_set(ERR_INTERNAL, "a hit is of no collection that was searched");
}

/* The hit with the most lines around it that tokens allow; whole: all that it is a part of. */
static void grow(Select *s, size_t i, const SearchHit *whole, size_t allowed) {
    const SearchHit core = s->out->hits[i];
    const int64_t at = core.chunk.start - whole->chunk.start;
    if (at < 0 || (size_t)at > whole->content.n) return;
    if (!str_starts(str_from(whole->content, (size_t)at), core.content)) return; /* it moved meanwhile */
    size_t fits = 0, most = (size_t)breaks_in(whole->content) + 1;
    while (fits < most) {
        const size_t lines = (fits + most + 1) / 2;
        size_t from = (size_t)at, to = from + core.content.n;
        widen(whole->content, lines, &from, &to);
        const SearchHit wider = part_of(whole, from, to);
        const size_t tokens = block_tokens(s, i + 1, &wider);
        if (tokens > allowed) {
            most = lines - 1;
            continue;
        }
        fits = lines;
        s->out->hits[i] = wider;
        s->out->tokens += tokens - s->tokens[i];
        s->tokens[i] = tokens;
    }
}

/* Taken passages of one document must not grow into each other: the later one keeps as it is. */
static bool stays_apart(const Select *s, size_t i) {
    for (size_t k = 0; k < s->out->n; k++) {
        const SearchHit *a = &s->out->hits[i], *b = &s->out->hits[k];
        if (k != i && a->collection == b->collection && a->chunk.doc_id == b->chunk.doc_id &&
            a->chunk.start < b->chunk.end && b->chunk.start < a->chunk.end)
            return false;
    }
    return true;
}

/* It is where it was indexed and whole: a part of a hit, or one that moved, cannot be found in its document again. */
static bool is_chunk(const SearchHit *hit) {
    const ChunkHash hash = chunk_hash_of(hit->content);
    return hit->freshness == FRESH && memcmp(&hash, &hit->chunk.hash, sizeof hash) == 0;
}

static Err surround(Select *s) {
    SearchHit *whole = arena_array(s->a, SearchHit, s->out->n + 1);
    uint32_t *source_of = arena_array(s->a, uint32_t, s->out->n + 1);
    size_t *place = arena_array(s->a, size_t, s->out->n + 1), n = 0;
    if (!whole || !source_of || !place) return arena_error();
    for (size_t i = 0; i < s->out->n; i++) {
        whole[n] = s->rq->hits[s->out->of[i]];
        if (!is_chunk(&whole[n])) continue;
        TRY(source_place(s, &whole[n], &source_of[n]));
        place[n++] = i;
    }
    TRY(fresh_fill(s->a, s->rq->sources, source_of, whole, n, FILL_WHOLE));
    for (size_t k = 0; k < n; k++) {
        const size_t i = place[k], tokens = s->tokens[i];
        const SearchHit before = s->out->hits[i];
        if (whole[k].content.n <= before.content.n) continue;
        grow(s, i, &whole[k], tokens + (s->rq->budget - s->out->tokens));
        if (stays_apart(s, i)) continue;
        s->out->tokens -= s->tokens[i] - tokens;
        s->tokens[i] = tokens;
        s->out->hits[i] = before;
    }
    return ERR_OK;
}

Err context_select(Arena *a, const ContextRequest *rq, Context *out) {
    *out = (Context){.hits = arena_array(a, SearchHit, CONTEXT_SOURCES_MAX),
                     .of = arena_array(a, size_t, CONTEXT_SOURCES_MAX)};
    Select s = {.a = a,
                .rq = rq,
                .passages = arena_array(a, Passage, rq->n_hits + 1),
                .tokens = arena_array(a, size_t, CONTEXT_SOURCES_MAX),
                .out = out};
    if (!out->hits || !out->of || !s.passages || !s.tokens) return arena_error();
    for (size_t i = 0; i < rq->n_hits; i++) {
        Passage *p = &s.passages[s.n];
        if (!str_trim(rq->hits[i].content).n || rq->hits[i].score < LEAST * rq->hits[0].score) continue;
        *p = (Passage){.hit = &rq->hits[i]};
        TRY(evidence_open(&p->words, a, rq->sources, rq->n_sources, rq->hits[i].content));
        s.n++;
    }
    choose(&s);
    TRY(surround(&s));
    while (out->n && (out->tokens = all_tokens(&s)) > rq->budget) out->n--;
    if (!out->n) out->tokens = 0;
    return s.failed ? err_set(ERR_NOMEM, "out of memory for the sources") : ERR_OK;
}

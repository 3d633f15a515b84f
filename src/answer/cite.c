/* cite.c - what of a sentence must be in its source, and is it; see cite.h. */
#include "answer/cite.h"

#include "answer/claims.h"
#include "search/evidence.h"

static const float CITE_SHARE = 0.7f, CITE_NEAR = 0.5f, CITE_EACH = 0.3f;

/* ---- the sources ---- */

Err citing_open(Citing *c, Arena *a, const SearchSource *searched, size_t n_searched, const SearchHit *hits, size_t n) {
    *c = (Citing){.a = a, .searched = searched, .n_searched = n_searched, .hits = hits, .n = n};
    c->sources = arena_array(a, CiteSource, n + 1);
    if (!c->sources) return arena_error();
    for (size_t i = 0; i < n; i++) {
        CiteSource *s = &c->sources[i];
        s->text = hits[i].content;
        TRY(spans_of(a, s->text, spans_is_prose(hits[i].chunk.lang), &s->spans, &s->n));
    }
    return ERR_OK;
}

/* ---- a sentence and what it cites ---- */

typedef struct {
    const Citing *c;
    Str body;                   /* without marks */
    size_t cited[CITE_SOURCES]; /* [n_cited] places of sources that are there */
    size_t n_cited;
    Evidence words;
} Sentence;

/* The place of a span in its source, and the best one found so far. */
typedef struct {
    size_t span;
    float share; /* of the sentence, within the span and those beside it */
} Near;

static void cite_place(Sentence *s, size_t number) {
    if (number < 1 || number > s->c->n) return;
    for (size_t i = 0; i < s->n_cited; i++)
        if (s->cited[i] == number - 1) return;
    if (s->n_cited < CITE_SOURCES) s->cited[s->n_cited++] = number - 1;
}

/* Bytes of code at the start of text, in which "[1]" is an index: a block up to its closing fence, or what is between
 * backticks. */
static size_t code_length(Str text) {
    const bool block = str_starts(text, STR("```"));
    if (!text.n || text.p[0] != '`') return 0;
    const size_t open = block ? 3 : 1;
    const ptrdiff_t close = str_find(str_from(text, open), block ? STR("```") : STR("`"));
    return close < 0 ? 0 : open + (size_t)close + open;
}

/* Takes marks out, with the blanks before them; their numbers go into cited. */
static Err marks_take(Sentence *s, Str text) {
    Buf b = {0};
    for (size_t i = 0; i < text.n;) {
        size_t numbers[CLAIM_MARKS], n = 0;
        const size_t code = code_length(str_from(text, i));
        const size_t mark = code ? 0 : claim_mark(str_from(text, i), numbers, &n);
        if (code) {
            buf_add(&b, str_make(text.p + i, code));
            i += code;
            continue;
        }
        if (!mark) {
            buf_char(&b, text.p[i++]);
            continue;
        }
        for (size_t k = 0; k < n; k++) cite_place(s, numbers[k]);
        while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t')) b.n--;
        i += mark;
    }
    Err err = buf_ok(&b);
    s->body = arena_str(s->c->a, str_trim(buf_str(&b)));
    buf_free(&b);
    return err ? err : s->body.p ? ERR_OK : arena_error();
}

/* ---- one or several sources ---- */

static Str around(const CiteSource *source, size_t span) {
    const size_t first = span && !source->spans[span - 1].heading ? span - 1 : span;
    const size_t last = span + 1 < source->n && !source->spans[span + 1].heading ? span + 1 : span;
    const size_t from = source->spans[first].start;
    return str_make(source->text.p + from, source->spans[last].end - from);
}

/* The span that has most of the sentence, by itself and with its neighbours. */
static Near nearest(const Sentence *s, const CiteSource *source) {
    Near best = {0, -1};
    float most = -1;
    for (size_t i = 0; i < source->n; i++) {
        const Span *span = &source->spans[i];
        if (span->heading) continue; /* names what follows, and proves nothing */
        const float own = evidence_share(&s->words, str_make(source->text.p + span->start, span->end - span->start));
        const float wide = evidence_share(&s->words, around(source, i));
        if (2 * own + wide <= most) continue;
        most = 2 * own + wide;
        best = (Near){i, wide};
    }
    return best;
}

/* Their texts one behind the other. */
static Err united(const Sentence *s, const size_t *places, size_t n, Str *out) {
    Buf b = {0};
    for (size_t i = 0; i < n; i++) {
        buf_add(&b, s->c->sources[places[i]].text);
        buf_add_z(&b, "\n\n");
    }
    Err err = buf_ok(&b);
    *out = arena_str(s->c->a, buf_str(&b));
    buf_free(&b);
    return err ? err : out->p ? ERR_OK : arena_error();
}

/* [first, last]: spans. */
static void cite_add(const Sentence *s, size_t place, size_t first, size_t last, float share, Cited *out) {
    const CiteSource *source = &s->c->sources[place];
    const size_t start = source->spans[first].start, end = source->spans[last].end;
    const SearchHit *h = &s->c->hits[place];
    int32_t before = 0, within = 0;
    for (size_t i = 0; i < start; i++) before += source->text.p[i] == '\n';
    for (size_t i = start; i < end; i++) within += source->text.p[i] == '\n';
    out->citations[out->n++] = (Citation){.hit = place,
                                          .source = place + 1,
                                          .start = start,
                                          .end = end,
                                          .start_line = h->chunk.start_line + before,
                                          .end_line = h->chunk.start_line + before + within,
                                          .quote = str_make(source->text.p + start, end - start),
                                          .score = share};
}

/* The part between commas and the like that has most of the sentence: what is said of it there. */
static Str clause_of(const Sentence *s, Str quote) {
    Str best = quote;
    float most = -1;
    for (size_t from = 0, at = 0; at <= quote.n; at++) {
        if (at < quote.n && !strchr(",;:()", quote.p[at])) continue;
        const Str clause = str_make(quote.p + from, at - from);
        const float share = evidence_share(&s->words, clause);
        if (share > most) most = share, best = clause;
        from = at + 1;
    }
    return best;
}

/* The sentence denies what the source says, or says what it denies. */
static bool is_contrary(const Sentence *s, const Citation *best) {
    const CiteSource *source = &s->c->sources[best->hit];
    size_t span = 0;
    while (span + 1 < source->n && source->spans[span].start != best->start) span++;
    if (claim_negates(s->body)) return !claim_negates(around(source, span));
    return claim_negates(clause_of(s, best->quote));
}

/* What in these sources speaks of the same, one behind the other. */
static Err related(const Sentence *s, const size_t *places, size_t n, Str *out) {
    Buf b = {0};
    for (size_t i = 0; i < n; i++) {
        const CiteSource *source = &s->c->sources[places[i]];
        const Near best = nearest(s, source);
        if (source->n) buf_add(&b, around(source, best.span));
        for (size_t k = 0; k < source->n; k++) {
            const Span *span = &source->spans[k];
            const Str text = str_make(source->text.p + span->start, span->end - span->start);
            buf_char(&b, '\n');
            if (evidence_share(&s->words, text) >= CITE_NEAR) buf_add(&b, text);
        }
    }
    const Err err = buf_ok(&b);
    *out = arena_str(s->c->a, buf_str(&b));
    buf_free(&b);
    return err ? err : out->p ? ERR_OK : arena_error();
}

/* Do these sources hold it together? Then out has a citation of each that has a part in it. */
static Err try_sources(const Sentence *s, const size_t *places, size_t n, Cited *out) {
    Str text, same;
    float near = 0, most = -1;
    size_t at = 0;
    TRY(united(s, places, n, &text));
    TRY(related(s, places, n, &same));
    out->n = 0;
    out->why = claim_missing(s->body, text, same);
    if (!out->why && evidence_share(&s->words, text) < CITE_SHARE) out->why = "words that are in no source";
    for (size_t i = 0; i < n && !out->why; i++) {
        const Near best = nearest(s, &s->c->sources[places[i]]);
        if (best.share < CITE_EACH) continue;
        if (best.share > most) most = best.share, at = out->n;
        near += best.share;
        cite_add(s, places[i], best.span, best.span, best.share, out);
    }
    if (!out->why && (!out->n || near < (n > 1 ? CITE_SHARE : CITE_NEAR)))
        out->why = "words that stand nowhere together";
    if (!out->why && is_contrary(s, &out->citations[at])) out->why = "the contrary of what the source says";
    out->holds = !out->why;
    return ERR_OK;
}

/* ---- code ---- */

/* Every line of it stands in this source; *first, *last: the spans from the first line to the last. */
static bool code_stands(const CiteSource *source, Str code, size_t *first, size_t *last) {
    Str rest = code, line;
    size_t low = source->text.n, high = 0;
    while (str_line(&rest, &line)) {
        line = str_trim(line);
        if (!line.n || str_starts(line, STR("```"))) continue;
        const ptrdiff_t at = claim_line(source->text, line);
        if (at < 0) return false;
        if ((size_t)at < low) low = (size_t)at;
        if ((size_t)at + line.n > high) high = (size_t)at + line.n;
    }
    if (high <= low) return false;
    *first = 0;
    while (*first + 1 < source->n && source->spans[*first].end <= low) ++*first;
    *last = *first;
    while (*last + 1 < source->n && source->spans[*last].end < high) ++*last;
    return source->n > 0;
}

static void check_code(const Sentence *s, Cited *out) {
    out->why = "code that is in no source";
    for (size_t i = 0; i < s->n_cited + s->c->n && !out->holds; i++) {
        const size_t place = i < s->n_cited ? s->cited[i] : i - s->n_cited;
        size_t first = 0, last = 0;
        if (!code_stands(&s->c->sources[place], s->body, &first, &last)) continue;
        cite_add(s, place, first, last, 1, out);
        out->holds = true;
    }
}

/* ---- the whole ---- */

static Err text_write(const Sentence *s, Cited *out) {
    Buf b = {0};
    buf_add(&b, s->body);
    buf_char(&b, str_ends(s->body, STR("```")) ? '\n' : ' ');
    for (size_t number = 1; number <= s->c->n; number++)
        for (size_t i = 0; i < out->n; i++)
            if (out->citations[i].source == number) buf_printf(&b, "[%zu]", number);
    Err err = buf_ok(&b);
    out->text = arena_str(s->c->a, buf_str(&b));
    buf_free(&b);
    return err ? err : out->text.p ? ERR_OK : arena_error();
}

/* The words that are looked for by their stems; where there are none ("It is 1,500."), the numbers. */
static Err words_open(Sentence *s, bool numbers) {
    Buf b = {0};
    claim_rest(s->body, numbers, &b);
    Err err = buf_ok(&b);
    if (!err) err = evidence_open(&s->words, s->c->a, s->c->searched, s->c->n_searched, buf_str(&b));
    buf_free(&b);
    return err;
}

static Err check_prose(Sentence *s, Cited *out) {
    TRY(words_open(s, false));
    if (!s->words.n) TRY(words_open(s, true));
    out->why = "nothing that a source could hold";
    if (!s->words.n) return ERR_OK;
    if (s->n_cited) TRY(try_sources(s, s->cited, s->n_cited, out));
    const char *why = s->n_cited ? out->why : NULL;
    float most =
        s->n_cited ? 2
                   : -1; /* the reason that is told is that of what it cites, else of the source that has most of it */
    for (size_t i = 0; i < s->c->n && !out->holds; i++) {
        const float share = evidence_share(&s->words, s->c->sources[i].text);
        TRY(try_sources(s, &i, 1, out));
        if (share > most) most = share, why = out->why;
    }
    if (!out->holds) out->why = why ? why : "there is no source";
    return ERR_OK;
}

Err cite_check(const Citing *c, Str sentence, Cited *out) {
    Sentence s = {.c = c};
    *out = (Cited){.text = STR("")};
    TRY(marks_take(&s, sentence));
    if (str_starts(s.body, STR("```")))
        check_code(&s, out);
    else
        TRY(check_prose(&s, out));
    if (!out->holds) out->n = 0;
    return out->holds ? text_write(&s, out) : ERR_OK;
}

/* ---- where a sentence ends ---- */

static size_t code_end(Str text, bool ended) {
    for (size_t at = 3; at < text.n; at++) {
        if (text.p[at - 1] != '\n' || !str_starts(str_from(text, at), STR("```"))) continue;
        const ptrdiff_t line = str_find_char(str_from(text, at), '\n');
        if (line >= 0) return at + (size_t)line + 1;
        return ended ? text.n : 0;
    }
    return ended ? text.n : 0;
}

/* Behind the marks that follow a sentence's end at `at`; 0: more may come. */
static size_t marks_end(Str text, size_t at, bool ended) {
    for (;;) {
        size_t numbers[CLAIM_MARKS], n = 0, next = at;
        while (next < text.n && (text.p[next] == ' ' || text.p[next] == '\t')) next++;
        if (next == text.n) return ended ? text.n : 0;
        const size_t mark = text.p[next] == '[' ? claim_mark(str_from(text, next), numbers, &n) : 0;
        if (!mark && !ended && text.p[next] == '[' && str_find_char(str_from(text, next), ']') < 0 &&
            text.n - next < CLAIM_MARK_BYTES)
            return 0;
        if (!mark) return text.p[next] == '\n' ? next + 1 : next;
        at = next + mark;
    }
}

size_t cite_cut(Str text, bool ended) {
    size_t from = 0;
    while (from < text.n && strchr(" \t\r\n", text.p[from])) from++;
    if (from == text.n) return ended ? text.n : 0;
    const Str rest = str_from(text, from);
    if (!ended && rest.n < 3 && str_starts(STR("```"), rest)) return 0;
    if (str_starts(rest, STR("```"))) {
        const size_t end = code_end(rest, ended);
        return end ? from + end : 0;
    }
    for (size_t at = from; at < text.n; at++) {
        if (text.p[at] == '\n') return at + 1;
        if (at - from >= 2 * SPAN_BYTES_MAX && text.p[at] == ' ') return at + 1;
        /* What follows the mark decides: as long as nothing does, it may be the point of "3.14". */
        size_t behind = span_sentence_end(text, from, at, text.n);
        if (!behind) continue;
        if (behind == text.n && !ended) return 0;
        const size_t end = marks_end(text, behind, ended);
        return end;
    }
    return ended ? text.n : 0;
}

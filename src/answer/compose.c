/* compose.c - see compose.h. */
#include "answer/compose.h"

#include "base/utf8.h"

enum { REPEATS_MAX = 3 }; /* after which nothing new is to be expected */

typedef struct {
    Arena *a;
    const ComposeRequest *rq;
    Citing citing;
    Composed *out;
    Buf held; /* written, no whole sentence yet */
    Buf text; /* of the answer */
    size_t written, sentences, cap, repeats;
    size_t lines; /* ends of lines since the last sentence shown */
    bool thought; /* what it thinks aloud is over, or there is none */
    Err err;
} Compose;

static size_t lines_in(Str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
    return n;
}

/* What parts a sentence from the one shown before: a line, a paragraph, else a blank. */
static const char *separator(const Compose *c) {
    if (!c->text.n) return "";
    return c->lines > 1 ? "\n\n" : c->lines ? "\n" : " ";
}

static Err citations_keep(Compose *c, const Cited *cited) {
    if (c->out->n + cited->n > c->cap) {
        const size_t cap = 2 * c->cap + CITE_SOURCES;
        Citation *more = arena_array(c->a, Citation, cap);
        if (!more) return arena_error();
        if (c->out->n) memcpy(more, c->out->citations, c->out->n * sizeof *more);
        c->out->citations = more;
        c->cap = cap;
    }
    memcpy(c->out->citations + c->out->n, cited->citations, cited->n * sizeof *cited->citations);
    c->out->n += cited->n;
    return ERR_OK;
}

static Err refuse(Compose *c, Str sentence, const char *why) {
    Refused *r = &c->out->refused[c->out->n_refused++];
    *r = (Refused){arena_str(c->a, sentence), why};
    return r->sentence.p ? ERR_OK : arena_error();
}

/* A model that begins to repeat itself goes on with it to its last token. */
static bool said_already(const Compose *c, Str sentence, Str shown) {
    if (shown.n && str_find(buf_str(&c->text), shown) >= 0) return true;
    for (size_t i = 0; i < c->out->n_refused; i++)
        if (str_eq(c->out->refused[i].sentence, sentence)) return true;
    return false;
}

static bool is_enough(const Compose *c) {
    return c->out->stopped || c->sentences >= COMPOSE_SENTENCES_MAX || c->repeats >= REPEATS_MAX;
}

/* Says that there is no answer, in the words it was given. */
static bool is_no_answer(Str sentence) {
    const Str no = STR(PROMPT_NO_ANSWER);
    return sentence.n >= no.n && str_eq_nocase(str_upto(sentence, no.n), no);
}

static Err sentence_show(Compose *c, const Cited *cited) {
    const size_t from = c->text.n, first = c->out->n;
    buf_add_z(&c->text, separator(c));
    buf_add(&c->text, cited->text);
    TRY(buf_ok(&c->text));
    TRY(citations_keep(c, cited));
    c->lines = 0;
    const Str shown = str_from(buf_str(&c->text), from);
    if (c->rq->tell && !c->rq->tell(c->rq->ctx, shown, c->out->citations + first, cited->n)) c->out->stopped = true;
    return ERR_OK;
}

/* Small models copy the mark of a quoted line along. */
static Str without_quote_mark(Str sentence) {
    while (str_starts(sentence, STR("> "))) sentence = str_trim(str_from(sentence, 2));
    return sentence;
}

static Err sentence_judge(Compose *c, Str sentence, const Cited *cited) {
    if (said_already(c, sentence, cited->text)) {
        c->repeats++;
        return refuse(c, sentence, "it was said already");
    }
    return cited->holds ? sentence_show(c, cited) : refuse(c, sentence, cited->why);
}

/* raw: with the blanks and line ends around it. */
static Err sentence_take(Compose *c, Str raw) {
    Cited cited;
    const Str sentence = without_quote_mark(str_trim(raw));
    const size_t at = (size_t)(sentence.p - raw.p);
    const size_t shown = c->text.n;
    Err err = ERR_OK;
    c->sentences++;
    c->lines += lines_in(str_upto(raw, at));
    if (is_no_answer(sentence))
        err = refuse(c, sentence, "it says that there is no answer");
    else if (!(err = cite_check(&c->citing, sentence, &cited)))
        err = sentence_judge(c, sentence, &cited);
    /* One that is left out takes its line along. */
    const size_t before = c->lines, behind = lines_in(str_from(raw, at + sentence.n));
    c->lines = c->text.n == shown ? (before > behind ? before : behind) : behind;
    return err;
}

/* Drops "<think>…</think>" at the start. False: it goes on. */
static bool thinking_over(Compose *c, bool ended) {
    const Str open = STR("<think>"), close = STR("</think>");
    const Str text = str_trim(buf_str(&c->held));
    if (c->thought) return true;
    if (!ended && text.n < open.n && str_starts(open, text)) return false;
    if (str_starts(text, open)) {
        const ptrdiff_t end = str_find(buf_str(&c->held), close);
        if (end < 0) return ended;
        const size_t from = (size_t)end + close.n, left = c->held.n - from;
        memmove(c->held.p, c->held.p + from, left);
        c->held.n = left;
        c->held.p[left] = 0;
    }
    c->thought = true;
    return true;
}

static void sentences_take(Compose *c, bool ended) {
    size_t at = 0;
    if (!thinking_over(c, ended)) return;
    while (!c->err && !is_enough(c)) {
        const Str rest = str_from(buf_str(&c->held), at);
        const size_t end = cite_cut(rest, ended);
        if (!end) break;
        if (str_trim(str_upto(rest, end)).n)
            c->err = sentence_take(c, str_upto(rest, end));
        else
            c->lines += lines_in(str_upto(rest, end));
        at += end;
    }
    if (!at) return;
    memmove(c->held.p, c->held.p + at, c->held.n - at);
    c->held.n -= at;
    c->held.p[c->held.n] = 0;
}

static bool hear(void *ctx, Str piece) {
    Compose *c = ctx;
    c->written += piece.n;
    utf8_repair(&c->held, piece);
    if (!c->err) c->err = buf_ok(&c->held);
    if (!c->err) sentences_take(c, false);
    return !c->err && !is_enough(c) && c->written < WRITER_TEXT_MAX;
}

static Err write_all(Compose *c) {
    const WriterJob job = {.prompt = c->rq->prompt, .sink = hear, .ctx = c, .deadline = c->rq->deadline};
    Err err = writer_write(c->rq->writer, &job);
    if (c->err) return c->err;
    if (err == ERR_DEADLINE && c->out->n) {
        c->out->deadline_hit = true;
        return ERR_OK;
    }
    if (err) return err;
    sentences_take(c, true);
    return c->err;
}

Err answer_compose(Arena *a, const ComposeRequest *rq, Composed *out) {
    Compose c = {.a = a, .rq = rq, .out = out};
    *out = (Composed){.text = STR(""), .refused = arena_array(a, Refused, COMPOSE_SENTENCES_MAX + 1)};
    if (!out->refused) return arena_error();
    TRY(citing_open(&c.citing, a, rq->searched, rq->n_searched, rq->hits, rq->n));
    ErrInfo told;
    Err err = write_all(&c);
    err_save(&told, err);
    out->text = arena_str(a, buf_str(&c.text));
    buf_free(&c.held);
    buf_free(&c.text);
    if (err) return err_restore(&told);
    return out->text.p ? ERR_OK : arena_error();
}

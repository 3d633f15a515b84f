/* eval_answers.c - see eval_answers.h. */
#include "engine/eval_answers.h"

#include <stdlib.h>

#include "answer/answer.h"

enum { SOURCES = 8, WORD_BYTES_MAX = 64 };

/* ---- words as SQuAD's script has them ---- */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* The next word that is no article; punctuation inside of a word goes. false: there is none. */
static bool word_next(Str *rest, char word[WORD_BYTES_MAX], size_t *n) {
    for (;;) {
        *n = 0;
        while (rest->n && !is_letter(rest->p[0])) *rest = str_from(*rest, 1);
        if (rest->n == 0) return false;
        for (; rest->n && !strchr(" \t\r\n", rest->p[0]); *rest = str_from(*rest, 1)) {
            const char c = rest->p[0];
            if (is_letter(c) && *n < WORD_BYTES_MAX) word[(*n)++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        }
        const Str w = str_make(word, *n);
        if (*n && !str_is(w, "a") && !str_is(w, "an") && !str_is(w, "the")) return true;
    }
}

static size_t words_count(Str text) {
    char word[WORD_BYTES_MAX];
    size_t count = 0, n;
    while (word_next(&text, word, &n)) count++;
    return count;
}

/* How often the word stands in the text. */
static size_t word_count(Str text, Str wanted) {
    char word[WORD_BYTES_MAX];
    size_t count = 0, n;
    while (word_next(&text, word, &n)) count += str_eq(str_make(word, n), wanted);
    return count;
}

/* Words of both, each as often as in the one that has it less often. */
static size_t words_shared(Str a, Str b) {
    char word[WORD_BYTES_MAX];
    size_t shared = 0, n;
    for (Str rest = a; word_next(&rest, word, &n);) {
        const Str w = str_make(word, n);
        const Str before = str_make(a.p, a.n - rest.n);
        if (word_count(before, w) <= word_count(b, w)) shared++; /* it is the k-th here, and there are k there */
    }
    return shared;
}

static bool begins(Str text, Str truth) {
    char x[WORD_BYTES_MAX], y[WORD_BYTES_MAX];
    size_t nx, ny;
    while (word_next(&truth, y, &ny))
        if (!word_next(&text, x, &nx) || !str_eq(str_make(x, nx), str_make(y, ny))) return false;
    return true;
}

bool eval_holds(Str text, Str truth) {
    char word[WORD_BYTES_MAX];
    size_t n;
    if (words_count(truth) == 0) return false;
    for (; text.n; (void)word_next(&text, word, &n))
        if (begins(text, truth)) return true;
    return false;
}

double eval_f1(Str answer, Str truth, bool *exact) {
    const size_t n_answer = words_count(answer), n_truth = words_count(truth);
    const size_t shared = words_shared(answer, truth);
    *exact = n_answer == n_truth && begins(answer, truth);
    return shared ? 2.0 * (double)shared / (double)(n_answer + n_truth) : 0;
}

/* ---- asking ---- */

typedef struct {
    EvalAnswers *out;
    double *able, *unable, *ms; /* confidences of the two kinds; times */
    size_t quotes, verbatim;
} Asked;

static void judge(Asked *k, const EvalQuestion *q, const Answer *answer) {
    double f1 = 0;
    bool match = false, holds = false;
    for (size_t i = 0; i < q->n; i++) {
        bool exact = false;
        const double one = answer->n ? eval_f1(answer->citations[0].quote, q->answers[i], &exact) : 0;
        if (one > f1) f1 = one;
        match |= exact;
        for (size_t c = 0; c < answer->n; c++) holds |= eval_holds(answer->citations[c].quote, q->answers[i]);
    }
    k->out->f1 += f1;
    k->out->exact_match += match;
    k->out->holds += holds;
}

static Err ask(Asked *k, const SearchSource *source, const SearchRequest *base, const EvalQuestion *q) {
    Arena scratch = {0};
    SearchReply reply;
    Answer answer;
    SearchRequest rq = *base;
    rq.query = q->question;
    rq.limit = SOURCES;
    rq.freshness = true; /* with contents */
    const int64_t start = clock_mono_ns();
    Err err = search(&scratch, source, 1, &rq, &reply);
    const AnswerRequest how = {.question = q->question,
                               .sources = source,
                               .n_sources = 1,
                               .hits = reply.hits,
                               .n_hits = reply.n,
                               .deadline = base->deadline};
    if (!err) err = answer_extract(&scratch, &how, &answer);
    if (!err) {
        k->ms[k->out->answerable + k->out->impossible] = clock_ms_since(start);
        k->quotes += answer.n;
        if (answer_check(&answer, reply.hits, reply.n)) k->verbatim += answer.n;
        if (q->impossible) {
            k->unable[k->out->impossible++] = (double)answer.confidence;
        } else {
            k->able[k->out->answerable++] = (double)answer.confidence;
            judge(k, q, &answer);
        }
    }
    arena_free(&scratch);
    return err;
}

/* ---- the figures ---- */

static int ascending(const void *x, const void *y) {
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* The probability that one of `high` stands above one of `low`; equals count half. Both sorted. */
static double auroc(const double *high, size_t n_high, const double *low, size_t n_low) {
    double above = 0;
    size_t below = 0, upto = 0;
    if (n_high == 0 || n_low == 0) return 0.5;
    for (size_t i = 0; i < n_high; i++) {
        while (below < n_low && low[below] < high[i]) below++;
        while (upto < n_low && low[upto] <= high[i]) upto++;
        above += (double)below + 0.5 * (double)(upto - below);
    }
    return above / ((double)n_high * (double)n_low);
}

static void finish(const Asked *k) {
    EvalAnswers *out = k->out;
    const size_t able = (size_t)out->answerable, unable = (size_t)out->impossible, all = able + unable;
    if (able) {
        out->exact_match /= (double)able;
        out->f1 /= (double)able;
        out->holds /= (double)able;
        qsort(k->able, able, sizeof *k->able, ascending);
    }
    if (unable) qsort(k->unable, unable, sizeof *k->unable, ascending);
    if (all) {
        qsort(k->ms, all, sizeof *k->ms, ascending);
        out->p50_ms = k->ms[all / 2];
    }
    out->auroc = auroc(k->able, able, k->unable, unable);
    out->citation_precision = k->quotes ? (double)k->verbatim / (double)k->quotes : 1;
}

Err eval_answers(Arena *a, const SearchSource *source, const SearchRequest *rq, const EvalQuestion *questions, size_t n,
                 EvalAnswers *out) {
    *out = (EvalAnswers){0};
    Asked k = {.out = out,
               .able = arena_array(a, double, n + 1),
               .unable = arena_array(a, double, n + 1),
               .ms = arena_array(a, double, n + 1)};
    if (!k.able || !k.unable || !k.ms) return arena_error();
    for (size_t i = 0; i < n; i++) {
        TRY(deadline_check(rq->deadline));
        TRY(ask(&k, source, rq, &questions[i]));
    }
    finish(&k);
    return ERR_OK;
}

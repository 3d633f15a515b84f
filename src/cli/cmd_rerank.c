/* cmd_rerank.c - `pythia rerank`: the third filter of the engine. Texts against one query come out sorted, so nothing
 * is written before the last line is read; of each text a line is kept to show, not the text. Pairs that bring their
 * own queries stream, in step.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "cli/filter.h"

enum { HEAD_BYTES = 512 }; /* of a text, kept for showing */

typedef struct {
    Item item; /* in the command's arena; its text is cut to a head */
    int64_t index;
    PythiaRanked rank;
} Ranked;

typedef struct {
    Str model, query;
    Ranked *all; /* [n] in the command's arena */
    size_t n, cap;
    int64_t cut;
} Ranking;

/* ---- writing ---- */

static void ranked_json(JsonOut *j, const Ranked *r) {
    item_begin(j, &r->item);
    jout_kv_i64(j, "index", r->index);
    if (r->item.bad) {
        item_error(j, &r->item);
    } else {
        jout_kv_f64(j, "score", r->rank.score);
        jout_key(j, "logit");
        jout_f32(j, r->rank.logit);
        jout_kv_i64(j, "tokens", r->rank.tokens);
        jout_kv_bool(j, "truncated", r->rank.truncated);
    }
    jout_end(j, '}');
}

static void ranked_line(Cli *cli, const Ranked *r) {
    JsonOut j = jout_to(&cli->out);
    ranked_json(&j, r);
    buf_char(&cli->out, '\n');
}

/* "0.987  4  The text's first line": the id where there is one, else the place among the texts. */
static void ranked_show(Cli *cli, const Ranked *r) {
    const Term *t = &cli->out_term;
    char number[32];
    Str rest = r->item.text, line = {"", 0}, id = r->item.id;
    (void)snprintf(number, sizeof number, "%.3f", r->rank.score);
    style_add(&cli->out, t, STYLE_SCORE, number);
    buf_add_z(&cli->out, "  ");
    (void)snprintf(number, sizeof number, "%lld", (long long)r->index);
    style_on(&cli->out, t, STYLE_LINE);
    safe_line(&cli->out, t, id.n ? id : str_of(number), 32, NULL, NULL);
    style_off(&cli->out, t);
    buf_add_z(&cli->out, "  ");
    while (!str_trim(line).n && str_line(&rest, &line)) continue;
    size_t used = 9 + (id.n ? utf8_width(str_upto(id, 32)) : strlen(number));
    safe_line(&cli->out, t, str_trim(line), t->width > used + 20 ? t->width - used : 20, NULL, NULL);
    buf_char(&cli->out, '\n');
}

static void ranking_envelope(Cli *cli, const Ranking *k, size_t top) {
    JsonOut j = cli_json_begin(cli);
    jout_kv_str(&j, "query", k->query);
    for (int bad = 0; bad < 2; bad++) {
        jout_key(&j, bad ? "errors" : "results");
        jout_begin(&j, '[');
        for (size_t i = 0, shown = 0; i < k->n && (bad || shown < top); i++) {
            if (k->all[i].item.bad != (bad != 0)) continue;
            ranked_json(&j, &k->all[i]);
            shown++;
        }
        jout_end(&j, ']');
    }
    cli_json_end(cli, &j);
}

/* ---- one query ---- */

/* The highest logit first (scores run together near 0 and 1), then as they came; bad lines at the end. */
static int by_rank(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->item.bad != y->item.bad) return x->item.bad ? 1 : -1;
    if (!x->item.bad && x->rank.logit != y->rank.logit) return x->rank.logit > y->rank.logit ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static Err ranking_grow(Cli *cli, Ranking *k, size_t more) {
    if (more <= k->cap - k->n) return ERR_OK;
    size_t cap = 2 * k->cap + more;
    Ranked *all = arena_array(&cli->arena, Ranked, cap);
    if (!all) return arena_error();
    if (k->n) memcpy(all, k->all, k->n * sizeof *all);
    k->all = all;
    k->cap = cap;
    return ERR_OK;
}

static Err ranked_keep(Cli *cli, Ranking *k, const Item *item, const PythiaRanked *rank) {
    Ranked *r = &k->all[k->n];
    size_t head = utf8_floor(item->text, item->text.n < HEAD_BYTES ? item->text.n : HEAD_BYTES);
    *r = (Ranked){.item = {.bad = item->bad}, .index = (int64_t)k->n};
    k->n++;
    r->item.id = arena_str(&cli->arena, item->id);
    r->item.text = arena_str(&cli->arena, str_upto(item->text, head));
    r->item.problem = arena_str(&cli->arena, item->problem);
    if (rank) r->rank = *rank;
    k->cut += r->rank.truncated;
    return r->item.id.p && r->item.text.p && r->item.problem.p ? ERR_OK : arena_error();
}

/* Scores of the good ones among n items, in order. */
static Err items_rank(Cli *cli, Arena *a, Str model, Str query, const Item *items, size_t n, PythiaRanked **out) {
    Str texts[FILTER_BATCH];
    size_t count = 0;
    Pythia *p = NULL;
    *out = NULL;
    for (size_t i = 0; i < n; i++)
        if (!items[i].bad) texts[count++] = items[i].text;
    TRY(cli_engine(cli, &p));
    return pythia_rerank(p, a, &(PythiaRerank){.model = model, .query = query}, texts, count, out);
}

static Err ranking_batch(Cli *cli, void *ctx, Arena *a, Item *items, size_t n) {
    Ranking *k = ctx;
    PythiaRanked *ranks = NULL;
    TRY(items_rank(cli, a, k->model, k->query, items, n, &ranks));
    TRY(ranking_grow(cli, k, n));
    for (size_t i = 0, at = 0; i < n; i++) TRY(ranked_keep(cli, k, &items[i], items[i].bad ? NULL : &ranks[at++]));
    return ERR_OK;
}

static Err words_rank(Cli *cli, Ranking *k, const Str *words, size_t n) {
    Item items[FILTER_BATCH];
    Arena arena = {0};
    Err err = ERR_OK;
    for (size_t from = 0, some; !err && from < n; from += some) {
        some = n - from < FILTER_BATCH ? n - from : FILTER_BATCH;
        for (size_t i = 0; i < some; i++) items[i] = (Item){.text = words[from + i]};
        err = ranking_batch(cli, k, &arena, items, some);
        arena_reset(&arena);
    }
    arena_free(&arena);
    return err;
}

typedef enum { FORM_TEXT, FORM_JSON, FORM_JSONL } Form;

static Form form_choose(const Cli *cli) {
    Str how = args_has(&cli->args, "format") ? args_str(&cli->args, "format") : STR("");
    if (args_has(&cli->args, "json") || str_is(how, "json")) return FORM_JSON;
    if (str_is(how, "text")) return FORM_TEXT;
    return args_has(&cli->args, "jsonl") || how.n || !cli->out_term.tty ? FORM_JSONL : FORM_TEXT;
}

static void ranking_write(Cli *cli, const Ranking *k, Form form, size_t top) {
    if (form == FORM_JSON) {
        ranking_envelope(cli, k, top);
        return;
    }
    for (size_t i = 0; i < k->n; i++) {
        const Ranked *r = &k->all[i];
        if (!r->item.bad && i >= top) continue;
        if (form == FORM_JSONL)
            ranked_line(cli, r);
        else if (!r->item.bad) /* its problem was told on stderr */
            ranked_show(cli, r);
    }
}

static Err ranking_run(Cli *cli, Str model, Form form) {
    int64_t top = INT64_MAX;
    bool stream = false;
    Ranking k = {.model = model, .query = cli->args.words[0]};
    const Str *texts = cli->args.words + 1;
    size_t n = cli->args.n_words - 1;
    TRY(args_i64(&cli->args, "top", 1, INT32_MAX, &top));
    if (!str_trim(k.query).n) return err_fix(err_set(ERR_USAGE, "the query is empty"), "pythia help rerank");
    TRY(filter_wanted(cli, texts, n, &stream));
    Err err = stream ? filter_run(cli, &(LineFilter){.batch = ranking_batch, .ctx = &k, .hold = true})
                     : words_rank(cli, &k, texts, n);
    if (err && err != ERR_PARTIAL) return err;
    if (k.n) qsort(k.all, k.n, sizeof *k.all, by_rank);
    ranking_write(cli, &k, form, (size_t)top);
    if (k.cut)
        cli_warn(cli, "pythia: %lld of %zu texts were longer than the model takes beside the query, and were cut",
                 (long long)k.cut, k.n);
    cli->answered = form == FORM_JSON || !cli->json;
    return err;
}

/* ---- pairs ---- */

typedef struct {
    Str model;
    int64_t index;
} Pairs;

/* Neighbours with the same query are scored together. */
static Err pairs_batch(Cli *cli, void *ctx, Arena *a, Item *items, size_t n) {
    Pairs *pairs = ctx;
    for (size_t from = 0, to; from < n; from = to) {
        PythiaRanked *ranks = NULL;
        for (to = from + 1; to < n && !items[to].bad && str_eq(items[to].query, items[from].query);) to++;
        TRY(items_rank(cli, a, pairs->model, items[from].query, items + from, to - from, &ranks));
        for (size_t i = from, at = 0; i < to; i++) {
            Ranked r = {.item = items[i], .index = pairs->index++};
            if (!items[i].bad) r.rank = ranks[at++];
            ranked_line(cli, &r);
        }
    }
    return buf_ok(&cli->out);
}

Err cmd_rerank(Cli *cli) {
    Form form = form_choose(cli);
    Str model = args_has(&cli->args, "model") ? args_str(&cli->args, "model") : STR("");
    cli->json = form == FORM_JSON || args_has(&cli->args, "jsonl");
    if (cli->args.n_words > 1 || !str_is(cli->args.words[0], "-")) return ranking_run(cli, model, form);
    if (args_has(&cli->args, "top"))
        return err_fix(err_set(ERR_USAGE, "--top needs one query; pairs are scored in the order they come"),
                       "pythia help rerank");
    return filter_run(cli, &(LineFilter){.queries = true, .batch = pairs_batch, .ctx = &(Pairs){.model = model}});
}

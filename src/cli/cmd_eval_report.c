/* cmd_eval_report.c - `pythia eval report FILE…`: what runs found, as Markdown. Its plots are made of characters, so
 * that it is whole in one file and looks the same on a terminal, in a review and on a web page. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/cli.h"

enum { RUNS_MAX = 8, BAR_COLUMNS = 40, BINS = 10, LISTED = 10, KINDS_MAX = 16, TEXT_BYTES = 160 };

typedef struct {
    Cli *cli;
    Buf *b;
    EvalReport runs[RUNS_MAX]; /* [n] */
    Str names[RUNS_MAX];       /* of their files */
    size_t n;
    int width; /* of the longest name */
} Reports;

/* Of a table or a list: what means something to Markdown does not, control characters neither; cut when it is long. */
static void text_add(Buf *b, Str s) {
    Buf one = {0};
    const Str shown = str_upto(s, TEXT_BYTES);
    for (size_t i = 0; i < shown.n; i++) {
        const char c = shown.p[i];
        if (c == '<')
            buf_add_z(&one, "&lt;");
        else if (strchr("|`*_\\[]", c) && c)
            buf_printf(&one, "\\%c", c);
        else
            buf_char(&one, c == '\n' || c == '\r' || c == '\t' ? ' ' : c);
    }
    safe_text(b, buf_str(&one));
    if (shown.n < s.n) buf_add_z(b, "…");
    buf_free(&one);
}

/* share of a full bar, by eighths of a column. */
static void bar_add(Buf *b, double share) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const int n = share > 0 ? (int)lround(share * BAR_COLUMNS * 8) : 0;
    for (int i = 0; i < n / 8; i++) buf_add_z(b, "█");
    buf_add_z(b, eighths[n % 8]);
}

static void name_add(const Reports *r, size_t run) {
    Buf name = {0};
    safe_path(&name, r->names[run]);
    buf_printf(r->b, "%-*.*s ", r->width, STR_FMT(buf_str(&name)));
    buf_free(&name);
}

/* ---- parts ---- */

static void figures(const Reports *r) {
    Buf *b = r->b;
    buf_add_z(b, "# Retrieval quality\n\n| run | set | model | mode | queries | documents | nDCG@10 | recall@10 | "
                 "recall@100 | MRR@10 | "
                 "p50 | p95 |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < r->n; i++) {
        const EvalReport *e = &r->runs[i];
        buf_add_z(b, "| ");
        text_add(b, r->names[i]);
        buf_add_z(b, " | ");
        text_add(b, e->set);
        buf_add_z(b, " | ");
        text_add(b, e->model);
        buf_add_z(b, " | ");
        text_add(b, str_of(e->mode));
        if (e->vectors < 1) buf_printf(b, ", %.0f %% with vectors", 100 * e->vectors);
        buf_printf(b, " | %lld | %lld | %.4f | %.4f | %.4f | %.4f | %.1f ms | %.1f ms |\n", (long long)e->queries,
                   (long long)e->documents, e->ndcg_at_10, e->recall_at_10, e->recall_at_100, e->mrr_at_10, e->p50_ms,
                   e->p95_ms);
    }
}

static void recall_plot(const Reports *r) {
    static const size_t places[] = {1, 3, 5, 10, 20, 50, 100};
    Buf *b = r->b;
    buf_add_z(b, "\n## Recall by places looked at\n\n```\n");
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        for (size_t i = 0; i < r->n; i++) {
            const double recall = pythia_eval_recall(&r->runs[i], places[k]);
            buf_printf(b, "@%-4zu ", places[k]);
            name_add(r, i);
            buf_printf(b, "%.3f ", recall);
            bar_add(b, recall);
            buf_char(b, '\n');
        }
    buf_add_z(b, "```\n");
}

/* Of nDCG@10, the bins of equal width, 1 alone in the last one. */
static void spread_plot(const Reports *r) {
    Buf *b = r->b;
    buf_add_z(b, "\n## Queries by nDCG@10\n\n```\n");
    for (size_t i = 0; i < r->n; i++) {
        int64_t bins[BINS + 1] = {0};
        for (int64_t q = 0; q < r->runs[i].queries; q++) bins[(int)(r->runs[i].each[q].ndcg_at_10 * BINS + 1e-9)]++;
        for (int k = 0; k <= BINS; k++) {
            name_add(r, i);
            buf_printf(b, k < BINS ? "%.1f-%.1f " : "%.1f     ", (double)k / BINS, (double)(k + 1) / BINS);
            buf_printf(b, "%6lld ", (long long)bins[k]);
            bar_add(b, (double)bins[k] / (double)r->runs[i].queries);
            buf_char(b, '\n');
        }
    }
    buf_add_z(b, "```\n");
}

/* The kinds that queries of the first run have; 0 when they have none. */
static size_t kinds_of(const EvalReport *e, Str kinds[KINDS_MAX]) {
    size_t n = 0;
    for (int64_t q = 0; q < e->queries; q++) {
        size_t k = 0;
        while (k < n && !str_eq(kinds[k], e->each[q].kind)) k++;
        if (k == n && n < KINDS_MAX && e->each[q].kind.n) kinds[n++] = e->each[q].kind;
    }
    return n;
}

static double ndcg_of(const EvalReport *e, Str kind, int64_t *count) {
    double sum = 0;
    *count = 0;
    for (int64_t q = 0; q < e->queries; q++) {
        if (!str_eq(e->each[q].kind, kind)) continue;
        sum += e->each[q].ndcg_at_10;
        (*count)++;
    }
    return *count ? sum / (double)*count : 0;
}

static void kinds_plot(const Reports *r) {
    Str kinds[KINDS_MAX];
    const size_t n = kinds_of(&r->runs[0], kinds);
    if (n == 0) return;
    buf_add_z(r->b, "\n## nDCG@10 by what queries were made of\n\n```\n");
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < r->n; i++) {
            int64_t count;
            const double ndcg = ndcg_of(&r->runs[i], kinds[k], &count);
            Buf name = {0};
            safe_text(&name, str_upto(kinds[k], 24));
            buf_printf(r->b, "%-10.*s ", STR_FMT(buf_str(&name)));
            buf_free(&name);
            name_add(r, i);
            buf_printf(r->b, "%5lld queries %.3f ", (long long)count, ndcg);
            bar_add(r->b, ndcg);
            buf_char(r->b, '\n');
        }
    buf_add_z(r->b, "```\n");
}

static void answers(const Reports *r) {
    Buf *b = r->b;
    bool any = false;
    for (size_t i = 0; i < r->n; i++) {
        const EvalReport *e = &r->runs[i];
        if (e->questions == 0) continue;
        if (!any)
            buf_add_z(b, "\n## Answers\n\n| run | questions | hold the truth | F1 | exact | abstaining AUROC | "
                         "citations verbatim | "
                         "p50 |\n|---|---|---|---|---|---|---|---|\n");
        any = true;
        buf_add_z(b, "| ");
        text_add(b, r->names[i]);
        buf_printf(b, " | %lld | %.4f | %.4f | %.4f | %.4f | %.4f | %.1f ms |\n", (long long)e->questions,
                   e->answer_holds, e->answer_f1, e->answer_em, e->abstain_auroc, e->citation_precision, e->ask_p50_ms);
    }
}

static Err compared(const Reports *r) {
    Buf *b = r->b;
    for (size_t i = 1; i < r->n; i++) {
        EvalGate gate;
        if (i == 1)
            buf_add_z(b, "\n## Compared with the first run\n\nnDCG@10, query by query; p: how probable a loss like "
                         "this is by chance (paired "
                         "randomisation test).\n\n| run | before | now | better | worse | p | beyond noise "
                         "|\n|---|---|---|---|---|---|---|\n");
        const Err err = pythia_eval_compare(&r->cli->arena, &r->runs[0], &r->runs[i], &gate);
        if (err && err != ERR_INPUT) return err;
        buf_add_z(b, "| ");
        text_add(b, r->names[i]);
        if (err) { /* several sets may stand in one report */
            buf_add_z(b, " | | | | | | other queries |\n");
            continue;
        }
        buf_printf(b, " | %.4f | %.4f | %lld | %lld | %.3f | %s |\n", gate.before, gate.now, (long long)gate.better,
                   (long long)gate.worse, gate.p, gate.failed ? "worse" : "no");
    }
    return ERR_OK;
}

static int by_ndcg(const void *x, const void *y) {
    const EvalQuery *a = *(EvalQuery *const *)x, *b = *(EvalQuery *const *)y;
    if (a->ndcg_at_10 != b->ndcg_at_10) return a->ndcg_at_10 < b->ndcg_at_10 ? -1 : 1;
    return str_cmp(a->id, b->id);
}

/* Of the last run. */
static Err worst(const Reports *r) {
    const EvalReport *e = &r->runs[r->n - 1];
    const EvalQuery **order = arena_array(&r->cli->arena, const EvalQuery *, (size_t)e->queries);
    Buf *b = r->b;
    if (!order) return arena_error();
    for (int64_t i = 0; i < e->queries; i++) order[i] = &e->each[i];
    qsort(order, (size_t)e->queries, sizeof *order, by_ndcg);
    buf_add_z(b, "\n## Queries that found least");
    if (r->n > 1) {
        buf_add_z(b, ", in ");
        text_add(b, r->names[r->n - 1]);
    }
    buf_add_z(b, "\n\n| query | nDCG@10 | relevant at | found first |\n|---|---|---|---|\n");
    for (int64_t i = 0; i < e->queries && i < LISTED && order[i]->ndcg_at_10 < 1; i++) {
        buf_add_z(b, "| ");
        text_add(b, order[i]->text);
        buf_printf(b, " | %.3f | ", order[i]->ndcg_at_10);
        if (order[i]->n_ranks) buf_printf(b, "%d", order[i]->ranks[0]);
        if (!order[i]->n_ranks) buf_add_z(b, "not in 100");
        buf_add_z(b, " | ");
        text_add(b, order[i]->best);
        buf_add_z(b, " |\n");
    }
    return ERR_OK;
}

Err cmd_eval_report(Cli *cli) {
    Reports r = {.cli = cli, .b = &cli->out, .n = cli->args.n_words};
    for (size_t i = 0; i < r.n; i++) {
        const Str file = path_base(cli->args.words[i]);
        r.names[i] = str_ends(file, STR(".json")) && file.n > 5 ? str_upto(file, file.n - 5) : file;
        if (r.names[i].n > (size_t)r.width) r.width = r.names[i].n < 32 ? (int)r.names[i].n : 32;
        TRY(pythia_eval_report_read(&cli->arena, cli->args.words[i].p, &r.runs[i]));
    }
    figures(&r);
    recall_plot(&r);
    kinds_plot(&r);
    spread_plot(&r);
    answers(&r);
    TRY(compared(&r));
    return worst(&r);
}

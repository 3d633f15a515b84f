/* progress.c - the progress bar and its plain forms.
 *
 * The rate is smoothed over the last few seconds (an exponential mean of half-second samples), because batches sorted
 * by length run at different speeds and a mean since the start would lie for minutes. A line is one write: bar and
 * clearing can never be torn apart by another writer.
 */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const int64_t SECOND_NS = 1000000000;
static const int64_t REDRAW_NS = 100000000;    /* at most 10 a second */
static const int64_t PLAIN_NS = 5000000000;    /* a plain line every 5 s */
static const int64_t PATIENCE_NS = 3000000000; /* nothing in the first 3 s when nobody asked */
static const double SMOOTHING = 0.25;          /* weight of the newest half second */

static void write_stderr(const Buf *b) {
    ssize_t n = write(STDERR_FILENO, b->p ? b->p : "", b->n); /* nobody is left to hear of a failure */
    (void)n;
}

void progress_open(Progress *p, Cli *cli) {
    Str how = config_text(cli->config, CONF_UI_PROGRESS);
    *p = (Progress){.term = &cli->err_term, .opened_ns = clock_mono_ns()};
    if (str_is(how, "auto")) {
        p->form = cli->err_term.tty && !str_is(str_of(getenv("TERM")), "dumb") ? PROGRESS_BAR : PROGRESS_PLAIN;
        p->patient = true;
        if (cli->json && p->form == PROGRESS_PLAIN)
            p->form = PROGRESS_NONE; /* a program is listening, it did not ask */
    } else if (str_is(how, "plain")) {
        p->form = PROGRESS_PLAIN;
    } else if (str_is(how, "json")) {
        p->form = PROGRESS_JSON;
    }
}

static void rate_update(Progress *p, const IndexProgress *now, int64_t now_ns) {
    if (strncmp(p->stage, now->stage, sizeof p->stage - 1) != 0) {
        (void)snprintf(p->stage, sizeof p->stage, "%s", now->stage);
        p->sample_ns = now_ns;
        p->sample_done = now->done;
        p->rate = 0;
        p->shown_ns = 0;
        return;
    }
    int64_t elapsed = now_ns - p->sample_ns;
    if (elapsed < SECOND_NS / 2 && p->rate > 0) return;
    if (elapsed < SECOND_NS / 5) return;
    double sample = (double)(now->done - p->sample_done) * 1e9 / (double)elapsed;
    p->rate = p->rate > 0 ? p->rate + SMOOTHING * (sample - p->rate) : sample;
    p->sample_ns = now_ns;
    p->sample_done = now->done;
}

/* A download counts bytes, everything else things. */
static bool in_bytes(const IndexProgress *now) { return strcmp(now->stage, "download") == 0; }

static void amount_add(Buf *b, const IndexProgress *now, int64_t v) {
    if (in_bytes(now))
        bytes_add(b, v);
    else
        number_add(b, v);
}

static void left_add(Buf *b, const Progress *p, const IndexProgress *now) {
    if (p->rate <= 0) return;
    buf_add_z(b, " · ");
    if (in_bytes(now)) {
        bytes_add(b, (int64_t)p->rate);
        buf_add_z(b, "/s");
    } else {
        buf_printf(b, p->rate < 10 ? "%.1f/s" : "%.0f/s", p->rate);
    }
    if (now->total <= now->done) return;
    buf_add_z(b, " · ");
    int64_t left = (int64_t)((double)(now->total - now->done) / p->rate + 0.5);
    if (left >= 3600) {
        buf_printf(b, "%lld:%02lld:%02lld left", (long long)(left / 3600), (long long)(left / 60 % 60),
                   (long long)(left % 60));
    } else {
        buf_printf(b, "%lld:%02lld left", (long long)(left / 60), (long long)(left % 60));
    }
}

static void counts_add(Buf *b, const IndexProgress *now) {
    amount_add(b, now, now->done);
    if (now->total > 0) {
        buf_char(b, '/');
        amount_add(b, now, now->total);
        int64_t done = now->done < now->total ? now->done : now->total;
        buf_printf(b, " %3d %%", (int)(100.0 * (double)done / (double)now->total));
    }
}

/* Eighths of a column, so that the bar also moves on a large tree. */
static void bar_add(Buf *b, double share, size_t columns) {
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    size_t eighths = (size_t)((share < 0 ? 0 : share > 1 ? 1 : share) * (double)columns * 8);
    size_t full = eighths / 8, drawn = full + (eighths % 8 != 0);
    for (size_t i = 0; i < full; i++) buf_add_z(b, "█");
    buf_add_z(b, parts[eighths % 8]);
    for (size_t i = drawn; i < columns; i++) buf_char(b, ' ');
}

static void bar_draw(Progress *p, const IndexProgress *now) {
    enum { BAR_COLUMNS = 20, TEXT_COLUMNS = 60 };
    Buf text = {0}, line = {0}, shown = {0};
    safe_text(&text, str_of(now->collection));
    buf_printf(&text, "%s%-5s ", text.n ? " " : "", now->stage);
    size_t width = term_width(STDERR_FILENO); /* asked each time: windows are resized */
    if (now->total > 0 && width >= BAR_COLUMNS + TEXT_COLUMNS) {
        bar_add(&text, (double)now->done / (double)now->total, BAR_COLUMNS);
        buf_char(&text, ' ');
    }
    counts_add(&text, now);
    left_add(&text, p, now);
    Term plain = {.width = width};
    safe_line(&shown, &plain, buf_str(&text), width - 1, NULL, NULL); /* a line that wraps could not be taken back */
    buf_add_z(&line, "\r\033[K");
    buf_add(&line, buf_str(&shown));
    write_stderr(&line);
    p->drawn = true;
    buf_free(&text);
    buf_free(&line);
    buf_free(&shown);
}

static void plain_line(const Progress *p, const IndexProgress *now) {
    Buf text = {0}, line = {0};
    buf_printf(&text, "pythia: %s%s%s ", now->collection ? now->collection : "", now->collection ? ": " : "",
               now->stage);
    counts_add(&text, now);
    left_add(&text, p, now);
    safe_text(&line, buf_str(&text));
    buf_char(&line, '\n');
    write_stderr(&line);
    buf_free(&text);
    buf_free(&line);
}

static void json_line(const Progress *p, const IndexProgress *now) {
    Buf line = {0};
    JsonOut j = jout_to(&line);
    jout_begin(&j, '{');
    jout_kv_z(&j, "event", "progress");
    jout_kv_z(&j, "collection", now->collection);
    jout_kv_z(&j, "stage", now->stage);
    jout_kv_i64(&j, "done", now->done);
    jout_kv_i64(&j, "total", now->total);
    jout_kv_i64(&j, "files", now->files);
    jout_kv_i64(&j, "chunks", now->chunks);
    jout_kv_i64(&j, "tokens", now->tokens);
    jout_kv_f64(&j, "rate", p->rate);
    jout_kv_f64(&j, "seconds", now->seconds);
    jout_kv_bool(&j, "finished", now->finished);
    jout_end(&j, '}');
    buf_char(&line, '\n');
    write_stderr(&line);
    buf_free(&line);
}

void progress_show(void *ctx, const IndexProgress *now) {
    Progress *p = ctx;
    int64_t now_ns = clock_mono_ns();
    p->files = now->files;
    if (strcmp(now->stage, "embed") == 0) {
        p->embedded = now->done;
        p->to_embed = now->total;
    }
    rate_update(p, now, now_ns);
    if (p->form == PROGRESS_NONE) return;
    int64_t pause = p->form == PROGRESS_PLAIN ? PLAIN_NS : REDRAW_NS;
    bool due = p->shown_ns == 0 || now_ns - p->shown_ns >= pause;
    if (p->form == PROGRESS_PLAIN && p->patient && now_ns - p->opened_ns < PATIENCE_NS) return;
    if (now->finished ? p->form != PROGRESS_JSON : !due) return; /* the report follows at once */
    p->shown_ns = now_ns;
    if (p->form == PROGRESS_BAR) bar_draw(p, now);
    if (p->form == PROGRESS_PLAIN) plain_line(p, now);
    if (p->form == PROGRESS_JSON) json_line(p, now);
}

void progress_close(Progress *p) {
    if (!p->drawn) return;
    Buf line = {0};
    buf_add_z(&line, "\r\033[K");
    write_stderr(&line);
    buf_free(&line);
    p->drawn = false;
}

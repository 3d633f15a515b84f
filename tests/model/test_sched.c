/* Whose turn it is: order, merging, standing still, and every way to leave before the end. No sleeps: a thread that
 * must be somewhere is waited for by what the scheduler counts. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "model/sched.h"
#include "tiny.h"

enum { TEXTS = 12 };

static const char *const words[TEXTS] = {"read",         "the file", "",        "how do I retry", "a b c d e f g",
                                         "na\xC3\xAFve", "x",        "read it", "\xFF\xFE",       "the the the",
                                         "file file it", "read (it)"};

typedef struct {
    Buf bytes;
    Model *m;
    size_t dim;
    float *want; /* [TEXTS, dim] one by one */
    Sched *s;
} Fix;

static void fix_open(Fix *f, const SchedOpts *opts) {
    *f = (Fix){0};
    f->m = tiny_open(TINY, kern_table(), NULL, &f->bytes);
    f->dim = model_info(f->m)->dim;
    f->want = malloc(TEXTS * f->dim * sizeof *f->want);
    for (size_t i = 0; i < TEXTS; i++) {
        Str text = str_of(words[i]);
        CHECK_OK(model_embed(f->m, NULL, &text, 1, NULL, f->want + i * f->dim, NULL));
    }
    CHECK_OK(sched_open(&f->s, opts));
}

static void fix_close(Fix *f) {
    sched_close(f->s);
    model_close(f->m);
    buf_free(&f->bytes);
    free(f->want);
}

static SchedStats stats_of(Fix *f, SchedClass line) {
    SchedStats st;
    sched_stats(f->s, line, &st);
    return st;
}

static void wait_depth(Fix *f, SchedClass line, size_t depth) {
    while (stats_of(f, line).depth != depth) (void)sched_yield();
}

/* ---- threads that do one call ---- */

typedef struct {
    Fix *f;
    SchedClass line;
    pthread_t thread;
    ErrInfo error;
    /* of an embedding */
    size_t first, n;
    EmbedOpts opts;
    float *out;
    EmbedInfo info[TEXTS];
    /* of a blocker */
    atomic_bool inside, go;
    Deadline stop;
    atomic_int *order;
    int place;
} Call;

static void *embed_thread(void *arg) {
    Call *c = arg;
    Str texts[TEXTS];
    for (size_t i = 0; i < c->n; i++) texts[i] = str_of(words[(c->first + i) % TEXTS]);
    c->out = calloc(TEXTS * c->f->dim, sizeof *c->out);
    err_save(&c->error, sched_embed(c->f->s, c->line, c->f->m, NULL, texts, c->n, &c->opts, c->out, c->info));
    return NULL;
}

static Err block_body(void *ctx, const Deadline *stop) {
    Call *c = ctx;
    if (c->order) c->place = atomic_fetch_add(c->order, 1);
    atomic_store(&c->inside, true);
    while (!atomic_load(&c->go)) {
        TRY(deadline_check(stop));
        (void)sched_yield();
    }
    return ERR_OK;
}

static void *block_thread(void *arg) {
    Call *c = arg;
    err_save(&c->error, sched_run(c->f->s, c->line, c->stop.cancel || c->stop.at_ns ? &c->stop : NULL, block_body, c));
    return NULL;
}

static void call_start(Call *c, Fix *f, SchedClass line, void *(*body)(void *)) {
    c->f = f;
    c->line = line;
    CHECK_INT(pthread_create(&c->thread, NULL, body, c), 0);
}

/* Has the turn when it returns. */
static void block(Call *c, Fix *f, SchedClass line) {
    call_start(c, f, line, block_thread);
    while (!atomic_load(&c->inside)) (void)sched_yield();
}

static Err call_end(Call *c) {
    atomic_store(&c->go, true);
    CHECK_INT(pthread_join(c->thread, NULL), 0);
    return err_restore(&c->error);
}

static void check_vectors(Fix *f, Call *c) {
    for (size_t i = 0; i < c->n; i++) {
        size_t at = (c->first + i) % TEXTS;
        CHECK(memcmp(c->out + i * f->dim, f->want + at * f->dim, f->dim * sizeof(float)) == 0);
        CHECK(c->info[i].tokens >= 2 && !c->info[i].truncated);
    }
}

/* ---- tests ---- */

static void a_request_that_meets_nobody_gets_model_embeds_bits(void **state) {
    (void)state;
    Fix f;
    fix_open(&f, NULL);
    for (int line = 0; line < SCHED_CLASSES; line++) {
        Call c = {.f = &f, .line = (SchedClass)line, .n = TEXTS};
        (void)embed_thread(&c);
        CHECK_OK(err_restore(&c.error));
        check_vectors(&f, &c);
        free(c.out);
        SchedStats st = stats_of(&f, (SchedClass)line);
        CHECK_INT(st.done, 1);
        CHECK_INT(st.depth, 0);
        CHECK_INT(st.merged, 0);
    }
    float v[64];
    Str text = str_of(words[1]);
    CHECK(f.dim <= 64);
    CHECK_OK(sched_embed(NULL, SCHED_INTERACTIVE, f.m, NULL, &text, 1, NULL, v, NULL)); /* no scheduler: at once */
    CHECK(memcmp(v, f.want + f.dim, f.dim * sizeof *v) == 0);
    CHECK_OK(sched_embed(f.s, SCHED_INTERACTIVE, f.m, NULL, NULL, 0, NULL, v, NULL));
    fix_close(&f);
}

static void requests_that_wait_are_merged_and_the_vectors_do_not_tell(void **state) {
    (void)state;
    Fix f;
    Call blocker = {0}, calls[TEXTS] = {{0}};
    fix_open(&f, NULL);
    block(&blocker, &f, SCHED_INTERACTIVE);
    for (size_t i = 0; i < TEXTS; i++) {
        calls[i].first = i;
        calls[i].n = 1 + i % 3;
        call_start(&calls[i], &f, SCHED_INTERACTIVE, embed_thread);
    }
    wait_depth(&f, SCHED_INTERACTIVE, TEXTS + 1);
    CHECK_OK(call_end(&blocker));
    for (size_t i = 0; i < TEXTS; i++) {
        CHECK_OK(call_end(&calls[i]));
        check_vectors(&f, &calls[i]);
        free(calls[i].out);
    }
    SchedStats st = stats_of(&f, SCHED_INTERACTIVE);
    CHECK_INT(st.done, TEXTS + 1);
    CHECK_INT(st.merged, TEXTS - 1); /* 24 texts: all in the batch of the first */
    fix_close(&f);
}

static void only_what_wants_the_same_is_merged(void **state) {
    (void)state;
    Fix f;
    Call blocker = {0}, calls[4] = {{0}};
    fix_open(&f, NULL);
    block(&blocker, &f, SCHED_INTERACTIVE);
    for (size_t i = 0; i < 4; i++) calls[i].n = 1;
    calls[1].opts.kind = EMBED_QUERY;
    calls[2].opts.dimensions = f.dim / 2;
    calls[3].opts.dimensions = f.dim + 1;
    for (size_t i = 0; i < 4; i++) call_start(&calls[i], &f, SCHED_INTERACTIVE, embed_thread);
    wait_depth(&f, SCHED_INTERACTIVE, 5);
    CHECK_OK(call_end(&blocker));
    for (size_t i = 0; i < 3; i++) CHECK_OK(call_end(&calls[i]));
    CHECK_ERR(call_end(&calls[3]), ERR_LIMIT, "dimensions are not possible");
    CHECK_INT(stats_of(&f, SCHED_INTERACTIVE).merged, 0);
    for (size_t i = 0; i < 4; i++) free(calls[i].out);
    fix_close(&f);
}

/* Long enough to be refused; its number in the message is that of its own request. */
static void one_bad_text_fails_its_own_request_alone(void **state) {
    (void)state;
    Fix f;
    Call blocker = {0}, good[3] = {{0}};
    enum { MANY = SCHED_MERGE_TEXTS + 8, BAD = MANY - 3 };
    Buf long_text = {0};
    char told[32];
    float *out = NULL;
    fix_open(&f, NULL);
    out = malloc(MANY * f.dim * sizeof *out);
    for (size_t i = 0; i <= model_info(f.m)->max_tokens; i++) buf_add(&long_text, STR("read "));
    Str texts[MANY];
    for (size_t i = 0; i < MANY; i++) texts[i] = i == BAD ? buf_str(&long_text) : STR("read");
    block(&blocker, &f, SCHED_INTERACTIVE);
    for (size_t i = 0; i < 3; i++) {
        good[i].n = 2;
        call_start(&good[i], &f, SCHED_INTERACTIVE, embed_thread);
    }
    wait_depth(&f, SCHED_INTERACTIVE, 4);
    atomic_store(&blocker.go, true);
    EmbedOpts opts = {.truncate_error = true};
    (void)snprintf(told, sizeof told, "text %d has", BAD);
    CHECK_ERR(sched_embed(f.s, SCHED_INTERACTIVE, f.m, NULL, texts, MANY, &opts, out, NULL), ERR_LIMIT, told);
    CHECK_OK(call_end(&blocker));
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(call_end(&good[i]));
        check_vectors(&f, &good[i]);
        free(good[i].out);
    }
    free(out);
    buf_free(&long_text);
    fix_close(&f);
}

static void a_line_is_served_in_order_of_arrival(void **state) {
    (void)state;
    for (int line = 0; line < SCHED_CLASSES; line++) {
        Fix f;
        atomic_int order = 0;
        Call blocker = {0}, calls[6] = {{0}};
        fix_open(&f, NULL);
        block(&blocker, &f, (SchedClass)line);
        for (int i = 0; i < 6; i++) {
            calls[i].order = &order;
            atomic_store(&calls[i].go, true);
            call_start(&calls[i], &f, (SchedClass)line, block_thread);
            wait_depth(&f, (SchedClass)line, (size_t)i + 2);
        }
        CHECK_OK(call_end(&blocker));
        for (int i = 0; i < 6; i++) {
            CHECK_OK(call_end(&calls[i]));
            CHECK_INT(calls[i].place, i);
        }
        fix_close(&f);
    }
}

static void a_long_request_lets_the_others_in_between(void **state) {
    (void)state;
    enum { MANY = 4 * SCHED_MERGE_TEXTS };
    Fix f;
    atomic_int order = 0;
    Call blocker = {0}, last = {.order = &order};
    Str texts[MANY];
    fix_open(&f, NULL);
    float *out = malloc(MANY * f.dim * sizeof *out);
    for (size_t i = 0; i < MANY; i++) texts[i] = str_of(words[i % TEXTS]);
    block(&blocker, &f, SCHED_INTERACTIVE);
    atomic_store(&last.go, true);
    call_start(&last, &f, SCHED_INTERACTIVE, block_thread);
    wait_depth(&f, SCHED_INTERACTIVE, 2);
    atomic_store(&blocker.go, true);
    CHECK_OK(sched_embed(f.s, SCHED_INTERACTIVE, f.m, NULL, texts, MANY, NULL, out, NULL));
    for (size_t i = 0; i < MANY; i++)
        CHECK(memcmp(out + i * f.dim, f.want + i % TEXTS * f.dim, f.dim * sizeof *out) == 0);
    CHECK_OK(call_end(&blocker));
    CHECK_OK(call_end(&last));
    free(out);
    fix_close(&f);
}

/* ---- background ---- */

typedef struct {
    atomic_long borders;
    long most; /* 0: until told */
    atomic_bool end;
} Walk;

static Err walk_body(void *ctx, const Deadline *stop) {
    Walk *w = ctx;
    while (!atomic_load(&w->end) && (w->most == 0 || atomic_load(&w->borders) < w->most)) {
        TRY(deadline_check(stop));
        atomic_fetch_add(&w->borders, 1);
    }
    return ERR_OK;
}

typedef struct {
    Fix *f;
    Walk walk;
    Deadline stop;
    pthread_t thread;
    ErrInfo error;
} Background;

static void *background_thread(void *arg) {
    Background *b = arg;
    err_save(&b->error, sched_run(b->f->s, SCHED_BACKGROUND, &b->stop, walk_body, &b->walk));
    return NULL;
}

static void background_start(Background *b, Fix *f) {
    b->f = f;
    CHECK_INT(pthread_create(&b->thread, NULL, background_thread, b), 0);
    while (b->walk.most == 0 && atomic_load(&b->walk.borders) == 0) (void)sched_yield();
}

static void background_work_stands_still_while_a_query_is_there(void **state) {
    (void)state;
    Fix f;
    Background b = {0};
    Call query = {0};
    fix_open(&f, NULL);
    background_start(&b, &f);
    uint64_t before = stats_of(&f, SCHED_BACKGROUND).pauses;
    block(&query, &f, SCHED_INTERACTIVE);
    while (stats_of(&f, SCHED_BACKGROUND).pauses == before) (void)sched_yield();
    long at = atomic_load(&b.walk.borders);
    for (int i = 0; i < 100; i++) (void)sched_yield();
    long then = atomic_load(&b.walk.borders);
    /* Unless it has stood still for 8 grants and got one: then it says so. */
    CHECK(at == then || stats_of(&f, SCHED_BACKGROUND).paused_ns >= 8 * (int64_t)SCHED_GRANT_MS * 1000000);
    CHECK_OK(call_end(&query));
    while (atomic_load(&b.walk.borders) == then) (void)sched_yield(); /* goes on */
    atomic_store(&b.walk.end, true);
    CHECK_INT(pthread_join(b.thread, NULL), 0);
    CHECK_OK(err_restore(&b.error));
    CHECK_INT(stats_of(&f, SCHED_BACKGROUND).done, 1);
    fix_close(&f);
}

static void background_work_goes_on_beside_queries_that_never_end(void **state) {
    (void)state;
    Fix f;
    Background b = {.walk.most = 3000};
    Call query = {0};
    fix_open(&f, NULL);
    block(&query, &f, SCHED_INTERACTIVE); /* to the end of the test */
    background_start(&b, &f);
    CHECK_INT(pthread_join(b.thread, NULL), 0);
    CHECK_OK(err_restore(&b.error));
    SchedStats st = stats_of(&f, SCHED_BACKGROUND);
    CHECK(st.pauses >= 1 && st.paused_ns >= 8 * (int64_t)SCHED_GRANT_MS * 1000000);
    CHECK_OK(call_end(&query));
    fix_close(&f);
}

static void who_stands_still_hears_its_cancel_flag_and_its_deadline(void **state) {
    (void)state;
    for (int by_flag = 0; by_flag < 2; by_flag++) {
        Fix f;
        volatile int cancel = 0;
        Background b = {0};
        Call query = {0};
        fix_open(&f, NULL);
        b.stop = by_flag ? (Deadline){.cancel = &cancel} : (Deadline){.at_ns = clock_mono_ns() + 30000000};
        block(&query, &f, SCHED_INTERACTIVE);
        b.walk.most = 1L << 40;
        background_start(&b, &f);
        if (by_flag) {
            while (stats_of(&f, SCHED_BACKGROUND).pauses == 0) (void)sched_yield();
            __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
        }
        CHECK_INT(pthread_join(b.thread, NULL), 0);
        CHECK_INT(err_restore(&b.error), by_flag ? ERR_INTERRUPT : ERR_DEADLINE);
        CHECK_INT(stats_of(&f, SCHED_BACKGROUND).left, 1);
        CHECK_OK(call_end(&query));
        fix_close(&f);
    }
}

/* ---- leaving early ---- */

static void who_waits_leaves_at_its_deadline_or_when_cancelled(void **state) {
    (void)state;
    Fix f;
    Call blocker = {0}, late = {.n = 1}, cancelled = {.n = 1}, good = {.n = 1};
    volatile int cancel = 0;
    fix_open(&f, NULL);
    block(&blocker, &f, SCHED_INTERACTIVE);
    late.opts.deadline = &(Deadline){.at_ns = clock_mono_ns() + 5000000};
    cancelled.opts.deadline = &(Deadline){.cancel = &cancel};
    call_start(&late, &f, SCHED_INTERACTIVE, embed_thread);
    call_start(&cancelled, &f, SCHED_INTERACTIVE, embed_thread);
    call_start(&good, &f, SCHED_INTERACTIVE, embed_thread);
    CHECK_ERR(call_end(&late), ERR_DEADLINE, "deadline was reached");
    wait_depth(&f, SCHED_INTERACTIVE, 3);
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    CHECK_ERR(call_end(&cancelled), ERR_INTERRUPT, "interrupted");
    wait_depth(&f, SCHED_INTERACTIVE, 2);
    CHECK_OK(call_end(&blocker));
    CHECK_OK(call_end(&good));
    check_vectors(&f, &good);
    SchedStats st = stats_of(&f, SCHED_INTERACTIVE);
    CHECK_INT(st.left, 2);
    CHECK_INT(st.depth, 0);
    free(late.out);
    free(cancelled.out);
    free(good.out);
    fix_close(&f);
}

static void a_full_line_refuses_and_takes_again_when_there_is_room(void **state) {
    (void)state;
    Fix f;
    Call blocker = {0}, second = {.n = 1};
    float v[64];
    Str text = STR("read");
    fix_open(&f, &(SchedOpts){.depth_max = {2, 1}});
    block(&blocker, &f, SCHED_INTERACTIVE);
    call_start(&second, &f, SCHED_INTERACTIVE, embed_thread);
    wait_depth(&f, SCHED_INTERACTIVE, 2);
    CHECK_ERR(sched_embed(f.s, SCHED_INTERACTIVE, f.m, NULL, &text, 1, NULL, v, NULL), ERR_BUSY,
              "2 interactive requests wait already");
    CHECK_INT(stats_of(&f, SCHED_INTERACTIVE).refused, 1);
    CHECK_OK(call_end(&blocker));
    CHECK_OK(call_end(&second));
    CHECK_OK(sched_embed(f.s, SCHED_INTERACTIVE, f.m, NULL, &text, 1, NULL, v, NULL));
    CHECK_OK(sched_embed(f.s, SCHED_BACKGROUND, f.m, NULL, &text, 1, NULL, v, NULL)); /* the other line has its own */
    free(second.out);
    fix_close(&f);
}

static void closing_ends_who_works_and_who_waits(void **state) {
    (void)state;
    Fix f;
    Call worker = {0}, waiting[3] = {{.n = 1}, {.n = 2}, {.n = 3}}, indexing = {0};
    float v[64];
    Str text = STR("read");
    fix_open(&f, NULL);
    block(&indexing, &f, SCHED_BACKGROUND);
    block(&worker, &f, SCHED_INTERACTIVE);
    for (int i = 0; i < 3; i++) call_start(&waiting[i], &f, SCHED_INTERACTIVE, embed_thread);
    wait_depth(&f, SCHED_INTERACTIVE, 4);
    sched_stop(f.s);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_join(waiting[i].thread, NULL), 0);
        CHECK_ERR(err_restore(&waiting[i].error), ERR_INTERRUPT, "being closed");
        free(waiting[i].out);
    }
    CHECK_ERR(sched_embed(f.s, SCHED_INTERACTIVE, f.m, NULL, &text, 1, NULL, v, NULL), ERR_INTERRUPT, "being closed");
    /* Not told to go: the border ends them. */
    CHECK_INT(pthread_join(worker.thread, NULL), 0);
    CHECK_ERR(err_restore(&worker.error), ERR_INTERRUPT, "being closed");
    CHECK_INT(pthread_join(indexing.thread, NULL), 0);
    CHECK_ERR(err_restore(&indexing.error), ERR_INTERRUPT, "being closed");
    fix_close(&f);
    sched_close(NULL);
}

/* ---- everything at once, for the sanitizers ---- */

typedef struct {
    Fix *f;
    pthread_t thread;
    unsigned seed;
    long done, late, busy;
} Storm;

static void *storm_thread(void *arg) {
    Storm *t = arg;
    for (int round = 0; round < 60; round++) {
        t->seed = t->seed * 1103515245u + 12345u;
        unsigned r = t->seed >> 16;
        Deadline stop = {.at_ns = clock_mono_ns() + (int64_t)(r % 7) * 300000 + 1};
        Call c = {
            .f = t->f, .line = r % 5 == 0 ? SCHED_BACKGROUND : SCHED_INTERACTIVE, .first = r % TEXTS, .n = 1 + r % 4};
        if (r % 2) c.opts.deadline = &stop;
        (void)embed_thread(&c);
        Err err = c.error.code;
        if (err == ERR_OK) check_vectors(t->f, &c);
        if (err != ERR_OK && err != ERR_DEADLINE && err != ERR_BUSY) fail_msg("%s", c.error.text);
        *(err == ERR_OK ? &t->done : err == ERR_BUSY ? &t->busy : &t->late) += 1;
        free(c.out);
    }
    return NULL;
}

static void a_storm_of_calls_leaves_nothing_behind(void **state) {
    (void)state;
    enum { THREADS = 8 };
    Fix f;
    Storm storm[THREADS];
    long done = 0;
    fix_open(&f, &(SchedOpts){.depth_max = {6, 2}});
    for (unsigned i = 0; i < THREADS; i++) {
        storm[i] = (Storm){.f = &f, .seed = i + 1};
        CHECK_INT(pthread_create(&storm[i].thread, NULL, storm_thread, &storm[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(storm[i].thread, NULL), 0);
        CHECK_INT(storm[i].done + storm[i].late + storm[i].busy, 60);
        done += storm[i].done;
    }
    SchedStats a = stats_of(&f, SCHED_INTERACTIVE), b = stats_of(&f, SCHED_BACKGROUND);
    CHECK_INT(a.depth + b.depth, 0);
    CHECK_INT(a.done + b.done, done);
    CHECK_INT(a.done + b.done + a.left + b.left + a.refused + b.refused, 60 * THREADS);
    CHECK(done > 0);
    fix_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_meets_nobody_gets_model_embeds_bits),
        cmocka_unit_test(requests_that_wait_are_merged_and_the_vectors_do_not_tell),
        cmocka_unit_test(only_what_wants_the_same_is_merged),
        cmocka_unit_test(one_bad_text_fails_its_own_request_alone),
        cmocka_unit_test(a_line_is_served_in_order_of_arrival),
        cmocka_unit_test(a_long_request_lets_the_others_in_between),
        cmocka_unit_test(background_work_stands_still_while_a_query_is_there),
        cmocka_unit_test(background_work_goes_on_beside_queries_that_never_end),
        cmocka_unit_test(who_stands_still_hears_its_cancel_flag_and_its_deadline),
        cmocka_unit_test(who_waits_leaves_at_its_deadline_or_when_cancelled),
        cmocka_unit_test(a_full_line_refuses_and_takes_again_when_there_is_room),
        cmocka_unit_test(closing_ends_who_works_and_who_waits),
        cmocka_unit_test(a_storm_of_calls_leaves_nothing_behind),
    };
    if (kern_init()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The desk: calls wait, are answered once, are cancelled, and all are answered when it closes. */
#include "serve/desk.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#include "base/file.h"
#include "check.h"

static char *environ_[] = {"PYTHIA_MODEL_EMBED=" TESTS_DIR "/golden/tiny_bert.gguf", "PYTHIA_MODEL_THREADS=2", NULL};

typedef struct {
    Desk *desk;
    Config *config;
    Arena arena;
    const char *dir;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t cond;
    bool hold, ended;
    int at_work, done;
} House;

/* An operation that stands still until it is let go, or cancelled. */
static House *house;
static Err op_stand(Call *c, JsonOut *j) {
    (void)j;
    Err err = ERR_OK;
    (void)pthread_mutex_lock(&house->lock);
    house->at_work++;
    (void)pthread_cond_broadcast(&house->cond);
    while (house->hold && !__atomic_load_n(&c->cancelled, __ATOMIC_RELAXED)) {
        struct timespec t;
        (void)clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 5000000;
        if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
        (void)pthread_cond_timedwait(&house->cond, &house->lock, &t);
    }
    if (__atomic_load_n(&c->cancelled, __ATOMIC_RELAXED)) err = err_set(ERR_INTERRUPT, "cancelled");
    house->at_work--;
    (void)pthread_mutex_unlock(&house->lock);
    return err;
}
static const Field no_fields[] = {{0}};
static const Op stand = {.name = "stand", .fields = no_fields, .run = op_stand};
static const Field path_fields[] = {{.name = "path", .types = FIELD_STR}, {0}};
static const Op ingest = {.name = "ingest", .flags = OP_LONG, .fields = path_fields, .run = op_stand};

static void call_init(Call *c, const Op *op, json_t *params) {
    *c = (Call){.op = op, .params = params ? params : json_object(), .role = ROLE_ADMIN};
}

static void on_done(Call *c) {
    House *h = c->ctx;
    (void)pthread_mutex_lock(&h->lock);
    h->done++;
    (void)pthread_cond_broadcast(&h->cond);
    (void)pthread_mutex_unlock(&h->lock);
}

static Err warm_held(void *ctx, Pythia *p) {
    House *h = ctx;
    (void)p;
    (void)pthread_mutex_lock(&h->lock);
    while (h->hold) (void)pthread_cond_wait(&h->cond, &h->lock);
    (void)pthread_mutex_unlock(&h->lock);
    return h->ended ? err_set(ERR_NO_MODEL, "there is none") : ERR_OK;
}

static bool callers_work; /* of the next house */

static void house_open(House *h, size_t workers, size_t queue_max, bool held_model) {
    *h = (House){.dir = check_temp_dir()};
    house = h;
    (void)pthread_mutex_init(&h->lock, NULL);
    (void)pthread_cond_init(&h->cond, NULL);
    CHECK_OK(config_load(&h->config, &(ConfigSources){.environ = environ_}));
    h->hold = held_model;
    DeskOpts opts = {.config = h->config,
                     .home = path_join(&h->arena, h->dir, "home"),
                     .cwd = h->dir,
                     .environ = environ_,
                     .workers = workers,
                     .queue_max = queue_max,
                     .callers_work = callers_work,
                     .warm = held_model ? warm_held : NULL,
                     .warm_ctx = h};
    CHECK_OK(desk_open(&h->desk, &opts));
}

static void house_close(House *h) {
    desk_close(h->desk, 0);
    config_free(h->config);
    CHECK_OK(file_remove_tree(h->dir));
    arena_free(&h->arena);
    (void)pthread_cond_destroy(&h->cond);
    (void)pthread_mutex_destroy(&h->lock);
}

static void wait_until(House *h, int at_work, int done) {
    (void)pthread_mutex_lock(&h->lock);
    while (h->at_work < at_work || h->done < done) (void)pthread_cond_wait(&h->cond, &h->lock);
    (void)pthread_mutex_unlock(&h->lock);
}

static void release(House *h) {
    (void)pthread_mutex_lock(&h->lock);
    h->hold = false;
    (void)pthread_cond_broadcast(&h->cond);
    (void)pthread_mutex_unlock(&h->lock);
}

static json_t *json_of(const char *text) {
    json_t *v = NULL;
    CHECK_OK(json_read(str_of(text), "test", &v));
    return v;
}

static void a_call_goes_through_the_engine(void **state) {
    (void)state;
    House h;
    Call c;
    house_open(&h, 2, 8, false);
    call_init(&c, op_named(STR("tokenize")), json_of("{\"text\":\"read the file\"}"));
    desk_run(h.desk, &c);
    CHECK_INT(c.err, ERR_OK);
    CHECK_INT(c.status, 200);
    CHECK(str_starts(buf_str(&c.body), STR("{\"status\":\"ok\",\"ids\":[")));
    call_clear(&c);
    call_init(&c, op_named(STR("tokenize")), json_of("{\"test\":\"read\"}"));
    desk_run(h.desk, &c);
    CHECK_INT(c.status, 400);
    CHECK(str_find(buf_str(&c.body), STR("unknown field 'test'; valid: text, model")) > 0);
    call_clear(&c);
    call_init(&c, op_named(STR("search")), json_of("{\"query\":\"x\"}"));
    desk_run(h.desk, &c);
    CHECK_INT(c.status, 404);
    CHECK_INT(c.error.code, ERR_NO_COLLECTION);
    call_clear(&c);
    house_close(&h);
}

static void a_full_line_refuses(void **state) {
    (void)state;
    House h;
    Call c[4];
    house_open(&h, 1, 2, false);
    h.hold = true;
    for (int i = 0; i < 4; i++) {
        call_init(&c[i], &stand, NULL);
        c[i].done = on_done;
        c[i].ctx = &h;
    }
    CHECK_OK(desk_submit(h.desk, &c[0]));
    wait_until(&h, 1, 0);
    CHECK_OK(desk_submit(h.desk, &c[1]));
    CHECK_OK(desk_submit(h.desk, &c[2]));
    CHECK_INT(desk_waiting(h.desk, false), 2);
    CHECK_ERR(desk_submit(h.desk, &c[3]), ERR_BUSY, "2 calls are waiting");
    CHECK_INT(desk_idle_ms(h.desk), 0);
    release(&h);
    wait_until(&h, 0, 3);
    for (int i = 0; i < 4; i++) call_clear(&c[i]);
    house_close(&h);
}

/* ---- callers who work themselves ---- */

typedef struct {
    House *h;
    Call call;
    pthread_t thread, worked_on;
} Caller;

static Err op_where(Call *c, JsonOut *j) {
    Caller *x = (Caller *)(void *)((char *)c - offsetof(Caller, call));
    x->worked_on = pthread_self();
    return op_stand(c, j);
}
static const Op where = {.name = "where", .fields = no_fields, .run = op_where};

static void *caller_body(void *ctx) {
    Caller *x = ctx;
    desk_run(x->h->desk, &x->call);
    return NULL;
}

static void callers_begin(House *h, Caller *callers, int n) {
    callers_work = true;
    house_open(h, 1, 2, false);
    callers_work = false;
    h->hold = true;
    for (int i = 0; i < n; i++) {
        callers[i].h = h;
        call_init(&callers[i].call, &where, NULL);
        CHECK_INT(pthread_create(&callers[i].thread, NULL, caller_body, &callers[i]), 0);
    }
    wait_until(h, 1, 0);
    while (desk_waiting(h->desk, false) < (size_t)n - 1) (void)sched_yield();
}

static void callers_work_on_their_own_threads_by_turns(void **state) {
    (void)state;
    House h;
    Caller callers[3];
    Call c;
    callers_begin(&h, callers, 3);
    CHECK(desk_idle_ms(h.desk) == 0);
    call_init(&c, &where, NULL);
    desk_run(h.desk, &c); /* the line is full */
    CHECK_INT(c.err, ERR_BUSY);
    call_clear(&c);
    release(&h);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_join(callers[i].thread, NULL), 0);
        CHECK_INT(callers[i].call.err, ERR_OK);
        CHECK(pthread_equal(callers[i].worked_on, callers[i].thread));
        call_clear(&callers[i].call);
    }
    house_close(&h);
}

static void closing_ends_callers_at_work_and_in_line(void **state) {
    (void)state;
    House h;
    Caller callers[2];
    callers_begin(&h, callers, 2);
    desk_close(h.desk, 0);
    h.desk = NULL;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_join(callers[i].thread, NULL), 0);
        CHECK_INT(callers[i].call.err, ERR_INTERRUPT);
        call_clear(&callers[i].call);
    }
    house_close(&h);
}

static void what_is_put_does_not_wait_behind_a_run(void **state) {
    (void)state;
    House h;
    Call c[6];
    static const char *const params[] = {
        "{\"path\":\"/a\"}", "{}", "{\"path\":\"/b\"}", "{\"path\":\"/c\"}", "{\"path\":\"/a\"}", "{\"path\":\"/b\"}"};
    house_open(&h, 1, 8, false);
    h.hold = true;
    for (int i = 0; i < 6; i++) {
        call_init(&c[i], &ingest, json_of(params[i]));
        c[i].done = on_done;
        c[i].ctx = &h;
    }
    CHECK_OK(desk_submit(h.desk, &c[0]));
    wait_until(&h, 1, 0);
    CHECK_OK(desk_submit(h.desk, &c[1])); /* documents, an upload */
    wait_until(&h, 2, 0);
    CHECK_OK(desk_submit(h.desk, &c[2])); /* another run */
    CHECK_INT(desk_waiting(h.desk, true), 1);
    c[3].impatient = true;
    CHECK_ERR(desk_submit(h.desk, &c[3]), ERR_BUSY, "indexing is busy with 2 runs; try again");
    for (int i = 4; i < 6; i++) { /* those that there are: the one at work, and the one in line */
        CHECK_OK(desk_submit(h.desk, &c[i]));
        wait_until(&h, 2, i - 3);
        CHECK_INT(c[i].status, 409);
        CHECK_INT(c[i].err, ERR_BUSY);
        CHECK(str_find(buf_str(&c[i].body), STR("is about to be indexed for a call before this one")) > 0);
    }
    CHECK_INT(desk_waiting(h.desk, true), 1);
    release(&h);
    wait_until(&h, 0, 5);
    for (int i = 0; i < 6; i++) call_clear(&c[i]);
    house_close(&h);
}

static void a_cancelled_call_ends_at_work_and_in_line(void **state) {
    (void)state;
    House h;
    Call c[2];
    house_open(&h, 1, 2, false);
    h.hold = true;
    for (int i = 0; i < 2; i++) {
        call_init(&c[i], &stand, NULL);
        c[i].done = on_done;
        c[i].ctx = &h;
        CHECK_OK(desk_submit(h.desk, &c[i]));
    }
    wait_until(&h, 1, 0);
    desk_cancel(h.desk, &c[1]);
    desk_cancel(h.desk, &c[0]);
    wait_until(&h, 0, 2);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(c[i].err, ERR_INTERRUPT);
        CHECK_INT(c[i].status, 503);
        call_clear(&c[i]);
    }
    house_close(&h);
}

static void closing_answers_everybody(void **state) {
    (void)state;
    enum { CALLS = 5 };
    House h;
    Call c[CALLS + 1];
    house_open(&h, 2, 8, false);
    h.hold = true;
    for (int i = 0; i <= CALLS; i++) {
        call_init(&c[i], &stand, NULL);
        c[i].done = on_done;
        c[i].ctx = &h;
        if (i < CALLS) CHECK_OK(desk_submit(h.desk, &c[i]));
    }
    wait_until(&h, 2, 0);
    desk_close(h.desk, 20);
    h.desk = NULL;
    CHECK_INT(h.done, CALLS);
    for (int i = 0; i <= CALLS; i++) {
        if (i < CALLS) CHECK_INT(c[i].err, ERR_INTERRUPT);
        call_clear(&c[i]);
    }
    house_close(&h);
}

static void the_model_loads_beside_everything(void **state) {
    (void)state;
    House h;
    Call c;
    ErrInfo why;
    house_open(&h, 1, 2, true);
    CHECK_INT(desk_model(h.desk, NULL, NULL, NULL), MODEL_LOADING);
    call_init(&c, op_named(STR("ready")), NULL);
    desk_run(h.desk, &c);
    CHECK_INT(c.status, 503);
    CHECK(str_find(buf_str(&c.body), STR("is being loaded")) > 0);
    call_clear(&c);
    call_init(&c, op_named(STR("health")), NULL);
    desk_run(h.desk, &c);
    CHECK_INT(c.status, 200);
    call_clear(&c);
    h.ended = true;
    release(&h);
    while (desk_model(h.desk, &why, NULL, NULL) == MODEL_LOADING) (void)sched_yield();
    CHECK_INT(desk_model(h.desk, &why, NULL, NULL), MODEL_FAILED);
    CHECK(strcmp(why.text, "there is none") == 0);
    house_close(&h);
}

static void documents_are_put_searched_and_replaced(void **state) {
    (void)state;
    House h;
    Call c;
    house_open(&h, 2, 8, false);
    call_init(&c, op_named(STR("index")), json_of("{\"documents\":[{\"id\":\"a\",\"text\":\"read the file\"}]}"));
    desk_run(h.desk, &c);
    CHECK_INT(c.status, 200);
    CHECK(str_find(buf_str(&c.body), STR("\"chunks\":1")) > 0);
    call_clear(&c);
    call_init(&c, op_named(STR("search")), json_of("{\"query\":\"read the file\"}"));
    desk_run(h.desk, &c);
    CHECK_INT(c.status, 200);
    CHECK(str_find(buf_str(&c.body), STR("\"uri\":\"api:a\"")) > 0);
    call_clear(&c);
    call_init(&c, op_named(STR("metrics")), NULL);
    desk_run(h.desk, &c);
    CHECK(str_find(buf_str(&c.body), STR("\npythia_chunks 1\n")) > 0);
    call_clear(&c);
    house_close(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_through_the_engine),
        cmocka_unit_test(a_full_line_refuses),
        cmocka_unit_test(callers_work_on_their_own_threads_by_turns),
        cmocka_unit_test(closing_ends_callers_at_work_and_in_line),
        cmocka_unit_test(what_is_put_does_not_wait_behind_a_run),
        cmocka_unit_test(a_cancelled_call_ends_at_work_and_in_line),
        cmocka_unit_test(closing_answers_everybody),
        cmocka_unit_test(the_model_loads_beside_everything),
        cmocka_unit_test(documents_are_put_searched_and_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

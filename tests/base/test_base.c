/* Tests of base: errors, arena, strings, maps, UTF-8, clock, JSON, files, pool. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/utf8.h"

static void err_text_is_kept_until_the_next_failure(void **state) {
    (void)state;
    CHECK_INT(err_set(ERR_IO, "cannot open '%s'", "x"), ERR_IO);
    CHECK_INT(err_fix(ERR_IO, "pythia %s", "doctor"), ERR_IO);
    CHECK_STR(str_of(err_text()), "cannot open 'x'");
    CHECK_STR(str_of(err_fix_text()), "pythia doctor");
    CHECK_INT(err_set(ERR_LIMIT, "again: %s", err_text()), ERR_LIMIT); /* an argument may be the old text */
    CHECK_STR(str_of(err_text()), "again: cannot open 'x'");
    CHECK_STR(str_of(err_fix_text()), "");
    CHECK_INT(err_prefix(ERR_LIMIT, "line %d", 3), ERR_LIMIT);
    CHECK_STR(str_of(err_text()), "line 3: again: cannot open 'x'");
}

static void err_codes_have_the_exit_codes_of_the_manual(void **state) {
    (void)state;
    CHECK_INT(err_exit_code(ERR_OK), 0);
    CHECK_INT(err_exit_code(ERR_NOTHING), 1);
    CHECK_INT(err_exit_code(ERR_USAGE), 2);
    CHECK_INT(err_exit_code(ERR_NO_COLLECTION), 3);
    CHECK_INT(err_exit_code(ERR_MODEL_MISMATCH), 4);
    CHECK_INT(err_exit_code(ERR_CORRUPT), 5);
    CHECK_INT(err_exit_code(ERR_BUSY), 6);
    CHECK_INT(err_exit_code(ERR_NO_MODEL), 7);
    CHECK_INT(err_exit_code(ERR_PARTIAL), 9);
    CHECK_INT(err_exit_code(ERR_DEADLINE), 124);
    CHECK_INT(err_exit_code(ERR_INTERRUPT), 130);
    CHECK_STR(str_of(err_name(ERR_MODEL_MISMATCH)), "model_mismatch");
}

static void arena_pieces_are_zeroed_aligned_and_apart(void **state) {
    (void)state;
    Arena a = {0};
    unsigned char *last = NULL;
    for (size_t size = 0; size < 5000; size += 37) {
        unsigned char *p = arena_alloc(&a, size);
        CHECK(p && (uintptr_t)p % 16 == 0 && p != last);
        for (size_t i = 0; i < size; i++) CHECK(p[i] == 0);
        if (size) memset(p, 0xFF, size);
        last = p;
    }
    arena_reset(&a);
    unsigned char *again = arena_alloc(&a, 64);
    for (size_t i = 0; i < 64; i++) CHECK(again[i] == 0);
    arena_free(&a);
    CHECK(a.head == NULL);
}

static void arena_refuses_what_overflows_or_passes_the_limit(void **state) {
    (void)state;
    Arena a = {.limit = 100000};
    CHECK(arena_array(&a, uint64_t, SIZE_MAX / 4) == NULL);
    CHECK_INT(arena_error(), ERR_LIMIT);
    CHECK(arena_alloc(&a, 50000) != NULL);
    CHECK(arena_alloc(&a, 60000) == NULL);
    CHECK_INT(arena_error(), ERR_LIMIT);
    CHECK(strstr(err_text(), "100000"));
    CHECK(arena_alloc(&a, 40000) != NULL);
    arena_free(&a);
}

static void str_cut_walks_every_field(void **state) {
    (void)state;
    Str rest = STR("a,,b,"), field;
    const char *want[] = {"a", "", "b"};
    for (size_t i = 0; i < 3; i++) {
        CHECK(str_cut(&rest, ',', &field));
        CHECK_STR(field, want[i]);
    }
    CHECK(!str_cut(&rest, ',', &field));
    rest = STR("");
    CHECK(!str_cut(&rest, ',', &field));
}

static void str_line_knows_both_line_ends(void **state) {
    (void)state;
    Str rest = STR("one\r\ntwo\n\nlast"), line;
    const char *want[] = {"one", "two", "", "last"};
    for (size_t i = 0; i < 4; i++) {
        CHECK(str_line(&rest, &line));
        CHECK_STR(line, want[i]);
    }
    CHECK(!str_line(&rest, &line));
}

static void numbers_are_read_whole_or_not_at_all(void **state) {
    (void)state;
    int64_t i = 7;
    uint64_t u = 7;
    double f = 7;
    CHECK(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    i = 7;
    const char *bad[] = {"", "-", "9223372036854775808", "1 ", " 1", "+1", "0x10", "1e3", "18446744073709551616"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) CHECK(!str_to_i64(str_of(bad[k]), &i) && i == 7);
    CHECK(!str_to_u64(STR("18446744073709551616"), &u) && u == 7);
    CHECK(str_to_f64(STR("-1.5e3"), &f) && f > -1500.1 && f < -1499.9);
    f = 7;
    const char *bad_f[] = {"", "nan", "inf", "1,5", "1e999", "0x1p3", "1.5x", " 1"};
    for (size_t k = 0; k < sizeof bad_f / sizeof *bad_f; k++) CHECK(!str_to_f64(str_of(bad_f[k]), &f));
    CHECK(str_to_bytes(STR("1M"), &u) && u == 1048576);
    CHECK(str_to_bytes(STR("1.5K"), &u) && u == 1536);
    CHECK(str_to_bytes(STR("2GiB"), &u) && u == 2147483648u);
    CHECK(!str_to_bytes(STR("-1M"), &u) && !str_to_bytes(STR("M"), &u) && !str_to_bytes(STR("9999999T"), &u));
}

static void buf_grows_and_keeps_a_nul_behind(void **state) {
    (void)state;
    Buf b = {0};
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i);
    CHECK_INT(b.n, strlen(b.p));
    CHECK_OK(buf_ok(&b));
    CHECK(str_ends(buf_str(&b), STR("998,999,")));
    buf_clear(&b);
    CHECK_STR(buf_str(&b), "");
    CHECK(!buf_reserve(&b, SIZE_MAX / 2));
    CHECK_ERR(buf_ok(&b), ERR_NOMEM, "out of memory");
    buf_free(&b);
}

static void map_keeps_every_key_in_order_of_insertion(void **state) {
    (void)state;
    Map m = {0};
    Arena a = {0};
    for (int i = 0; i < 20000; i++) CHECK_OK(map_put(&m, arena_printf(&a, "key %d", i), (uint64_t)i));
    CHECK_OK(map_put(&m, STR("key 77"), 1));
    CHECK_INT(m.count, 20000);
    for (int i = 0; i < 20000; i++) {
        uint64_t *v = map_get(&m, arena_printf(&a, "key %d", i));
        CHECK(v && *v == (i == 77 ? 1u : (uint64_t)i));
        CHECK(m.entries[i].value == *v);
    }
    CHECK(map_get(&m, STR("key")) == NULL);
    CHECK(*map_at(&m, STR("new"), 5) == 5 && *map_at(&m, STR("new"), 6) == 5);
    map_free(&m);
    CHECK(map_get(&m, STR("new")) == NULL);
    arena_free(&a);
}

static void utf8_decodes_as_the_standard_replaces(void **state) {
    (void)state;
    static const struct {
        const char *in, *repaired; /* what Python's decode("utf-8", "replace") gives */
    } cases[] = {
        {"na\xC3\xAFve", "na\xC3\xAFve"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* overlong */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* surrogate */
        {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        {"\xF0\x9F\x98", "\xEF\xBF\xBD"},                                         /* cut short: one */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* above U+10FFFF */
        {"a\x80z", "a\xEF\xBF\xBDz"},
        {"\xEF\xBF\xBD", "\xEF\xBF\xBD"},
        {"\xE2\x82"
         "A",
         "\xEF\xBF\xBD"
         "A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf b = {0};
        utf8_repair(&b, str_of(cases[i].in));
        CHECK_STR(buf_str(&b), cases[i].repaired);
        CHECK(utf8_valid(str_of(cases[i].in)) == (strcmp(cases[i].in, cases[i].repaired) == 0));
        buf_free(&b);
    }
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char z[4];
        uint32_t back;
        if (cp >= 0xD800 && cp <= 0xDFFF) continue;
        size_t n = utf8_encode(cp, z);
        CHECK(utf8_decode(str_make(z, n), &back) == n && back == cp);
    }
    CHECK_INT(utf8_floor(STR("a\xE2\x82\xAC"), 3), 1);
    CHECK_INT(utf8_floor(STR("a\xE2\x82\xAC"), 4), 4);
    CHECK_INT(utf8_width(STR("a\xE6\x97\xA5")), 3);
}

static void a_byte_order_mark_decides_what_bytes_mean(void **state) {
    (void)state;
    static const struct {
        Str in;
        const char *out;
    } cases[] = {
        {{"plain\xFF", 6}, "plain\xFF"},
        {{"\xEF\xBB\xBFwith mark", 12}, "with mark"},
        {{"\xFF\xFE"
          "a\0\xE9\0",
          6},
         "a\xC3\xA9"},
        {{"\xFE\xFF\0a\xD8\x3D\xDE\0", 8}, "a\xF0\x9F\x98\x80"},
        {{"\xFF\xFE\x3D\xD8"
          "a\0",
          6},
         "\xEF\xBF\xBD"
         "a"}, /* a lone surrogate */
        {{"\xFF\xFE"
          "a\0b",
          5},
         "a\xEF\xBF\xBD"}, /* a rest at the end */
        {{"\xFF\xFE\0\0a\0\0\0", 8}, "a"},
        {{"\0\0\xFE\xFF\0\x11\0\0", 8}, "\xEF\xBF\xBD"}, /* above U+10FFFF */
        {{"\xFF\xFE", 2}, ""},
    };
    Arena a = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Str out;
        CHECK_OK(text_decode(&a, cases[i].in, &out));
        CHECK_STR(out, cases[i].out);
    }
    arena_free(&a);
}

static void dates_and_durations_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1970-01-01", 0},
                {"2026-11-21T04:45:10Z", 1795236310000},
                {"2026-11-21T05:45:10+01:00", 1795236310000},
                {"2026", 1767225600000},
                {"2024-02-29", 1709164800000},
                {"1d", 1000000000000 - 86400000},
                {"2w", 1000000000000 - 2 * 604800000LL}};
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_OK(clock_parse(str_of(good[i].text), 1000000000000, &ms));
        CHECK_INT(ms, good[i].ms);
    }
    const char *bad[] = {"", "2026-13-01", "2026-02-30", "2026-11-21T25:00", "yesterday", "2026-11-21x", "d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERR(clock_parse(str_of(bad[i]), 0, &ms), ERR_USAGE, "is no date");
    CHECK_OK(clock_parse_duration(STR("1.5s"), &ms));
    CHECK_INT(ms, 1500);
    CHECK_OK(clock_parse_duration(STR("150"), &ms));
    CHECK_INT(ms, 150);
    CHECK_ERR(clock_parse_duration(STR("-1s"), &ms), ERR_USAGE, "'-1s' is no duration");
    char iso[32];
    clock_iso(1795236310999, iso);
    CHECK_STR(str_of(iso), "2026-11-21T04:45:10Z");
}

static void json_is_written_and_read_back(void **state) {
    (void)state;
    Buf b = {0};
    JsonOut j = jout_to(&b);
    jout_begin(&j, '{');
    jout_kv_str(&j, "text", STR("a\"b\\c\n\x01\xFF\xC3\xA9\x7F"));
    jout_kv_z(&j, "none", "");
    jout_key(&j, "list");
    jout_begin(&j, '[');
    jout_f32(&j, 0.1f);
    jout_f64(&j, 0.1);
    jout_f64(&j, 1.0 / 0.0);
    jout_i64(&j, INT64_MIN);
    jout_begin(&j, '{');
    jout_end(&j, '}');
    jout_end(&j, ']');
    jout_kv_bool(&j, "yes", true);
    jout_end(&j, '}');
    CHECK_STR(buf_str(&b), "{\"text\":\"a\\\"b\\\\c\\n\\u0001\xEF\xBF\xBD\xC3\xA9\x7F\",\"none\":null,"
                           "\"list\":[0.1,0.1,null,-9223372036854775808,{}],\"yes\":true}");
    json_t *v = NULL;
    CHECK_OK(json_read(buf_str(&b), "test", &v));
    json_decref(v);
    CHECK_ERR(json_read(STR("{\"a\":1,\"a\":2}"), "x.json", &v), ERR_INPUT, "'x.json' is not JSON: line 1");
    CHECK_ERR(json_read(STR(""), "x.json", &v), ERR_INPUT, "x.json");
    CHECK_OK(json_read(STR("{\"n\":\"x\"}"), "t", &v));
    int64_t n = 3;
    CHECK_ERR(json_get_i64(v, "n", &n), ERR_INPUT, "'n' must be an integer, not a string");
    CHECK_OK(json_get_i64(v, "missing", &n));
    CHECK_INT(n, 3);
    json_decref(v);
    Str text = STR("");
    CHECK_OK(json_read(STR("{\"text\":\"a\\u0000b\"}"), "t", &v));
    CHECK_OK(json_get_str(v, "text", &text));
    CHECK(str_eq(text, str_make("a\0b", 3)));
    json_decref(v);
    buf_free(&b);
}

static void floats_are_written_so_that_they_read_back(void **state) {
    (void)state;
    uint32_t bits = 12345;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 1664525u + 1013904223u;
        float f;
        memcpy(&f, &bits, 4);
        if (f != f || f - f != 0) continue;
        Buf b = {0};
        JsonOut j = jout_to(&b);
        jout_f32(&j, f);
        CHECK(strtof(b.p, NULL) == f);
        buf_free(&b);
    }
}

static void paths_are_joined_and_normalised(void **state) {
    (void)state;
    Arena a = {0};
    CHECK_STR(str_of(path_join(&a, "/a/", "b")), "/a/b");
    CHECK_STR(str_of(path_join(&a, "/a", "/b")), "/b");
    CHECK_STR(str_of(path_absolute(&a, "/a/./b//../c/")), "/a/c");
    CHECK_STR(str_of(path_absolute(&a, "/../..")), "/");
    CHECK_STR(path_ext(STR("a.b/c.tar.gz")), "gz");
    CHECK_STR(path_ext(STR(".bashrc")), "");
    CHECK_STR(path_ext(STR("a.d/Makefile")), "");
    CHECK_STR(path_dir(STR("a/b/c")), "a/b");
    CHECK(path_within(STR("/a/b"), STR("/a")) && path_within(STR("/a"), STR("/a")) &&
          !path_within(STR("/ab"), STR("/a")));
    CHECK(path_within(STR("/x"), STR("/")));
    arena_free(&a);
}

static void an_atomic_write_leaves_the_old_file_when_any_call_fails(void **state) {
    (void)state;
    Arena a = {0};
    const char *path = path_join(&a, check_temp_dir(), "f");
    Str got;
    CHECK_OK(file_write_atomic(path, STR("old"), 0644));
    long nth = 1;
    for (;; nth++) {
        fault_arm(nth, ENOSPC);
        Err err = file_write_atomic(path, STR("new content"), 0644);
        long calls = fault_count();
        fault_arm(0, 0);
        if (!err) break;
        CHECK_INT(err, ERR_IO);
        CHECK(strstr(err_text(), "No space left"));
        CHECK_OK(file_read(&a, path, 100, &got));
        CHECK(str_is(got, "old") ||
              (calls > 4 && str_is(got, "new content"))); /* the folder's sync comes after the rename */
    }
    CHECK(nth >= 5);
    CHECK_OK(file_read(&a, path, 100, &got));
    CHECK_STR(got, "new content");
    CHECK_ERR(file_read(&a, path, 3, &got), ERR_LIMIT, "has 11 bytes, more than the limit of 3");
    arena_free(&a);
}

static void files_that_are_no_files_are_refused_at_once(void **state) {
    (void)state;
    Arena a = {0};
    const char *fifo = path_join(&a, check_temp_dir(), "fifo");
    Str got;
    CHECK_INT(mkfifo(fifo, 0600), 0);
    CHECK_ERR(file_read(&a, fifo, 100, &got), ERR_IO, "not a regular file");
    CHECK_ERR(file_read(&a, "/", 100, &got), ERR_IO, "not a regular file");
    CHECK_ERR(file_read(&a, "/nonexistent/x", 100, &got), ERR_IO, "cannot open '/nonexistent/x'");
    FileInfo info;
    CHECK_OK(file_info(fifo, true, &info));
    CHECK_INT(info.type, FILE_OTHER);
    CHECK_OK(file_info("/nonexistent", true, &info));
    CHECK_INT(info.type, FILE_NONE);
    arena_free(&a);
}

static void a_tree_is_removed_without_following_links(void **state) {
    (void)state;
    Arena a = {0};
    const char *dir = arena_cstr(&a, str_of(check_temp_dir()));
    const char *tree = path_join(&a, dir, "tree/deep/er"), *keep = path_join(&a, dir, "keep");
    CHECK_OK(file_make_dirs(tree, 0755));
    CHECK_OK(file_make_dirs(tree, 0755));
    CHECK_OK(file_write_atomic(keep, STR("x"), 0644));
    CHECK_INT(symlink(dir, path_join(&a, tree, "link")), 0);
    CHECK_OK(file_remove_tree(path_join(&a, dir, "tree")));
    CHECK_OK(file_remove_tree(path_join(&a, dir, "tree")));
    FileInfo info;
    CHECK_OK(file_info(keep, false, &info));
    CHECK_INT(info.type, FILE_REGULAR);
    CHECK_ERR(file_make_dirs(path_join(&a, keep, "x"), 0755), ERR_IO, "cannot make the folder");
    arena_free(&a);
}

static void a_lock_is_held_by_one(void **state) {
    (void)state;
    Arena a = {0};
    const char *path = path_join(&a, check_temp_dir(), "lock");
    int fd, other;
    CHECK_OK(file_lock(path, &fd));
    CHECK_ERR(file_lock(path, &other), ERR_BUSY, "is held by another process");
    file_unlock(&fd);
    CHECK_OK(file_lock(path, &other));
    file_unlock(&other);
    arena_free(&a);
}

static Err square(void *ctx, size_t index, size_t worker) {
    (void)worker;
    ((uint64_t *)ctx)[index] = index * index;
    return ERR_OK;
}

static Err fail_at_odd(void *ctx, size_t index, size_t worker) {
    (void)ctx, (void)worker;
    return index % 2 ? err_set(ERR_INPUT, "piece %zu", index) : ERR_OK;
}

static void a_pool_does_every_piece_once_and_tells_the_first_error(void **state) {
    (void)state;
    for (size_t threads = 1; threads <= 4; threads++) {
        Pool *p = NULL;
        uint64_t out[1000] = {0};
        CHECK_OK(pool_open(&p, threads));
        CHECK_INT(pool_size(p), threads);
        for (int round = 0; round < 50; round++) {
            memset(out, 0xFF, sizeof out);
            CHECK_OK(pool_for(p, 1000, square, out));
            for (size_t i = 0; i < 1000; i++) CHECK(out[i] == i * i);
        }
        CHECK_ERR(pool_for(p, 64, fail_at_odd, NULL), ERR_INPUT, "piece ");
        CHECK_OK(pool_for(p, 0, fail_at_odd, NULL));
        pool_close(p);
    }
    CHECK_ERR(pool_for(NULL, 64, fail_at_odd, NULL), ERR_INPUT, "piece 1");
}

typedef struct {
    Pool *pool;
    uint64_t out[64];
} LoopUser;

/* Short loops one behind the other, of which workers see the end of one and the start of the next. */
static Err run_short_loops(void *ctx) {
    LoopUser *u = ctx;
    for (size_t round = 0; round < 3000; round++) {
        size_t n = 2 + round % 63;
        memset(u->out, 0xFF, sizeof u->out);
        TRY(pool_for(u->pool, n, square, u->out));
        for (size_t i = 0; i < 64; i++)
            if (u->out[i] != (i < n ? i * i : UINT64_MAX)) return err_set(ERR_INTERNAL, "piece %zu of %zu", i, n);
        if (round % 100 == 0 && pool_for(u->pool, n, fail_at_odd, NULL) != ERR_INPUT)
            return err_set(ERR_INTERNAL, "the error of round %zu is lost", round);
    }
    return ERR_OK;
}

static void threads_take_turns_with_a_pool_of_short_loops(void **state) {
    (void)state;
    for (size_t threads = 2; threads <= 5; threads += 3) { /* with and without cores for all */
        Pool *p = NULL;
        Thread *other = NULL;
        CHECK_OK(pool_open(&p, threads));
        LoopUser users[2] = {{.pool = p}, {.pool = p}};
        CHECK_OK(thread_start(&other, run_short_loops, &users[1]));
        CHECK_OK(run_short_loops(&users[0]));
        CHECK_OK(thread_join(other));
        pool_close(p);
    }
}

/* The first piece goes to the caller or to a worker; the other thread has time to fall asleep. */
static Err long_first(void *ctx, size_t index, size_t worker) {
    int64_t end = clock_mono_ns() + (index == 0 ? 2000000 : 0);
    while (clock_mono_ns() < end) continue;
    return square(ctx, index, worker);
}

static void a_pool_wakes_those_that_sleep(void **state) {
    (void)state;
    Pool *p = NULL;
    CHECK_OK(pool_open(&p, 3));
    for (int round = 0; round < 20; round++) {
        uint64_t out[3] = {9, 9, 9};
        CHECK_OK(pool_for(p, 3, long_first, out));
        for (size_t i = 0; i < 3; i++) CHECK(out[i] == i * i);
    }
    pool_close(p);
}

static Err produce(void *ctx) {
    Queue *q = ctx;
    for (size_t i = 1; i <= 1000; i++)
        if (!queue_push(q, (void *)i)) return err_set(ERR_INTERNAL, "closed early");
    queue_close(q);
    return ERR_OK;
}

static void a_queue_hands_over_in_order_and_ends(void **state) {
    (void)state;
    Queue *q = NULL;
    Thread *t = NULL;
    void *item;
    size_t want = 1;
    CHECK_OK(queue_open(&q, 7));
    CHECK_OK(thread_start(&t, produce, q));
    while (queue_pop(q, &item)) CHECK((size_t)item == want++);
    CHECK_INT(want, 1001);
    CHECK_OK(thread_join(t));
    CHECK(!queue_push(q, q));
    queue_free(q);
}

static void hashes_are_the_known_ones(void **state) {
    (void)state;
    char hex[65];
    Sha256 h = sha256_of(STR("abc"));
    hex_write(h.bytes, 32, hex);
    CHECK_STR(str_of(hex), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 back;
    CHECK(hex_read(str_of(hex), back.bytes, 32) && memcmp(&h, &back, 32) == 0);
    CHECK(!hex_read(STR("zz"), back.bytes, 1) && !hex_read(STR("ab1"), back.bytes, 1));
    Sha256Stream *s = NULL;
    CHECK_OK(sha256_begin(&s));
    sha256_add(s, STR("a"));
    sha256_add(s, STR("bc"));
    back = sha256_end(s);
    CHECK(memcmp(&h, &back, 32) == 0);
    ChunkHash c = chunk_hash_of(STR("abc"));
    CHECK(memcmp(c.bytes, h.bytes, 16) == 0);
    CHECK(xxh3_of(STR("")) == 0x2D06800538D394C2u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_text_is_kept_until_the_next_failure),
        cmocka_unit_test(err_codes_have_the_exit_codes_of_the_manual),
        cmocka_unit_test(arena_pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(arena_refuses_what_overflows_or_passes_the_limit),
        cmocka_unit_test(str_cut_walks_every_field),
        cmocka_unit_test(str_line_knows_both_line_ends),
        cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(buf_grows_and_keeps_a_nul_behind),
        cmocka_unit_test(map_keeps_every_key_in_order_of_insertion),
        cmocka_unit_test(utf8_decodes_as_the_standard_replaces),
        cmocka_unit_test(a_byte_order_mark_decides_what_bytes_mean),
        cmocka_unit_test(dates_and_durations_are_read),
        cmocka_unit_test(json_is_written_and_read_back),
        cmocka_unit_test(floats_are_written_so_that_they_read_back),
        cmocka_unit_test(paths_are_joined_and_normalised),
        cmocka_unit_test(an_atomic_write_leaves_the_old_file_when_any_call_fails),
        cmocka_unit_test(files_that_are_no_files_are_refused_at_once),
        cmocka_unit_test(a_tree_is_removed_without_following_links),
        cmocka_unit_test(a_lock_is_held_by_one),
        cmocka_unit_test(a_pool_does_every_piece_once_and_tells_the_first_error),
        cmocka_unit_test(threads_take_turns_with_a_pool_of_short_loops),
        cmocka_unit_test(a_pool_wakes_those_that_sleep),
        cmocka_unit_test(a_queue_hands_over_in_order_and_ends),
        cmocka_unit_test(hashes_are_the_known_ones),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

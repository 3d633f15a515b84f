/* The cache of embeddings: what it keeps, what it lets go, what it counts, and from many threads. */
#include <pthread.h>

#include "check.h"
#include "model/cache.h"

enum { DIM = 4 };

static EmbedCacheKey key_of(uint32_t i) {
    return (EmbedCacheKey){.text = chunk_hash_of(str_make((const char *)&i, sizeof i)), .dim = DIM};
}

static void put(EmbedCache *c, uint32_t i) {
    EmbedCacheKey key = key_of(i);
    float v[DIM] = {(float)i, 1, 2, 3};
    embed_cache_put(c, &key, v);
}

static bool get(EmbedCache *c, uint32_t i) {
    EmbedCacheKey key = key_of(i);
    float v[DIM] = {0};
    if (!embed_cache_get(c, &key, v)) return false;
    CHECK(v[0] == (float)i && v[3] == 3.0f);
    return true;
}

static size_t one_entry(void) {
    EmbedCache *c = NULL;
    EmbedCacheStats s;
    CHECK_OK(embed_cache_open(&c, 1 << 20));
    put(c, 1);
    embed_cache_stats(c, &s);
    embed_cache_close(c);
    return s.bytes;
}

static void a_vector_comes_back_and_hits_are_counted(void **state) {
    (void)state;
    EmbedCache *c = NULL;
    EmbedCacheStats s;
    CHECK_OK(embed_cache_open(&c, 1 << 20));
    CHECK(!get(c, 1));
    put(c, 1);
    put(c, 1); /* known already */
    CHECK(get(c, 1));
    CHECK(!get(c, 2));
    embed_cache_stats(c, &s);
    CHECK_INT(s.hits, 1);
    CHECK_INT(s.misses, 2);
    CHECK_INT(s.entries, 1);
    embed_cache_close(c);
    embed_cache_close(NULL);
}

static void text_model_kind_and_dimension_are_all_of_the_key(void **state) {
    (void)state;
    EmbedCache *c = NULL;
    float v[2 * DIM] = {1};
    CHECK_OK(embed_cache_open(&c, 1 << 20));
    put(c, 1);
    EmbedCacheKey key = key_of(1);
    key.model.bytes[31] = 1;
    CHECK(!embed_cache_get(c, &key, v));
    key = key_of(1);
    key.kind = 1;
    CHECK(!embed_cache_get(c, &key, v));
    key = key_of(1);
    key.dim = 2 * DIM;
    CHECK(!embed_cache_get(c, &key, v));
    CHECK(get(c, 1));
    embed_cache_close(c);
}

static void the_least_recently_used_goes_first_and_the_bound_holds(void **state) {
    (void)state;
    EmbedCache *c = NULL;
    EmbedCacheStats s;
    size_t each = one_entry();
    CHECK_OK(embed_cache_open(&c, 3 * each));
    put(c, 1);
    put(c, 2);
    put(c, 3);
    CHECK(get(c, 1)); /* now 2 is the oldest */
    put(c, 4);
    CHECK(!get(c, 2));
    CHECK(get(c, 1) && get(c, 3) && get(c, 4));
    embed_cache_resize(c, each);
    CHECK(get(c, 4) && !get(c, 1) && !get(c, 3));
    embed_cache_resize(c, 0);
    put(c, 5);
    CHECK(!get(c, 5));
    embed_cache_stats(c, &s);
    CHECK_INT(s.entries, 0);
    CHECK_INT(s.bytes, 0);
    CHECK_INT(s.evicted, 4);
    embed_cache_close(c);
}

static void many_entries_stay_findable_while_the_table_grows(void **state) {
    (void)state;
    EmbedCache *c = NULL;
    CHECK_OK(embed_cache_open(&c, 64 << 20));
    for (uint32_t i = 0; i < 20000; i++) put(c, i);
    for (uint32_t i = 0; i < 20000; i++) CHECK(get(c, i));
    embed_cache_close(c);
}

static void *hammer(void *arg) {
    EmbedCache *c = arg;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t at = i * 2654435761u % 300;
        if (!get(c, at)) put(c, at);
        if (i % 1000 == 0) embed_cache_resize(c, (size_t)(1 + i / 1000 % 3) * 10000);
    }
    return NULL;
}

static void threads_may_use_one_cache(void **state) {
    (void)state;
    EmbedCache *c = NULL;
    EmbedCacheStats s;
    pthread_t threads[4];
    CHECK_OK(embed_cache_open(&c, 20000));
    for (size_t i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, hammer, c) == 0);
    for (size_t i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    embed_cache_stats(c, &s);
    CHECK_INT(s.hits + s.misses, 80000);
    CHECK(s.bytes <= s.max_bytes);
    embed_cache_close(c);
}

static void a_model_behind_the_cache_gives_the_same_bits(void **state) {
    (void)state;
    Model *m = NULL;
    EmbedCache *c = NULL;
    EmbedCacheStats s;
    CHECK_OK(model_open(&m, TESTS_DIR "/golden/tiny_bert.gguf", NULL));
    size_t dim = model_info(m)->dim;
    float *plain = test_malloc(dim * sizeof *plain), *cached = test_malloc(dim * sizeof *cached);
    CHECK_OK(embed_cache_open(&c, 1 << 20));
    EmbedOpts query = {.kind = EMBED_QUERY};
    Str text = STR("who closes the socket");
    CHECK_OK(model_embed(m, NULL, &text, 1, &query, plain, NULL));
    for (int i = 0; i < 3; i++) {
        memset(cached, 0, dim * sizeof *cached);
        CHECK_OK(model_embed_cached(m, c, NULL, NULL, text, &query, cached));
        CHECK(memcmp(plain, cached, dim * sizeof *plain) == 0);
    }
    CHECK_OK(model_embed_cached(m, NULL, NULL, NULL, text, &query, cached));
    embed_cache_stats(c, &s);
    CHECK_INT(s.hits, 2);
    CHECK_INT(s.misses, 1);
    embed_cache_close(c);
    model_close(m);
    test_free(plain);
    test_free(cached);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_comes_back_and_hits_are_counted),
        cmocka_unit_test(text_model_kind_and_dimension_are_all_of_the_key),
        cmocka_unit_test(the_least_recently_used_goes_first_and_the_bound_holds),
        cmocka_unit_test(many_entries_stay_findable_while_the_table_grows),
        cmocka_unit_test(threads_may_use_one_cache),
        cmocka_unit_test(a_model_behind_the_cache_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

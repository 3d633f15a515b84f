/* test_sampler.c - choosing tokens: each option alone, ties, seeds, and scores that are none. */
#include "check.h"

#include <math.h>

#include "model/sampler.h"

enum { N = 8 };
static const float SCORES[N] = {0.0f, 1.0f, 4.0f, 3.0f, -2.0f, 4.0f, 2.0f, -50.0f};

static int32_t next(Sampler *s) {
    float logits[N];
    int32_t id = -1;
    memcpy(logits, SCORES, sizeof logits);
    CHECK_OK(sampler_next(s, logits, &id));
    return id;
}

static Sampler *open_with(SamplerOpts opts) {
    Sampler *s = NULL;
    CHECK_OK(sampler_open(&s, &opts, N));
    return s;
}

/* How often each token comes in 20,000 draws. */
static void count(SamplerOpts opts, size_t counts[N]) {
    Sampler *s = open_with(opts);
    memset(counts, 0, N * sizeof *counts);
    for (int i = 0; i < 20000; i++) counts[next(s)]++;
    sampler_close(s);
}

static void greedy_takes_the_best_and_of_equals_the_first(void **state) {
    (void)state;
    Sampler *s = open_with((SamplerOpts){.seed = 1});
    for (int i = 0; i < 10; i++) CHECK_INT(next(s), 2);
    sampler_close(s);
}

static void draws_follow_the_probabilities(void **state) {
    (void)state;
    size_t counts[N];
    double sum = 0;
    for (int t = 1; t <= 3; t++) { /* temperatures 0.5, 1, 1.5 */
        double temperature = 0.5 * t;
        sum = 0;
        for (size_t i = 0; i < N; i++) sum += exp((double)SCORES[i] / temperature);
        count((SamplerOpts){.temperature = (float)temperature, .seed = 7}, counts);
        /* five standard deviations of a share of 20,000 draws are below 0.018 */
        for (size_t i = 0; i < N; i++)
            CHECK_NEAR((double)counts[i] / 20000, exp((double)SCORES[i] / temperature) / sum, 0.018);
    }
}

static void top_k_leaves_the_k_best(void **state) {
    (void)state;
    size_t counts[N];
    count((SamplerOpts){.temperature = 5, .top_k = 3}, counts);
    CHECK(counts[2] > 0 && counts[3] > 0 && counts[5] > 0);
    CHECK_INT(counts[2] + counts[3] + counts[5], 20000);
    count((SamplerOpts){.temperature = 5, .top_k = 1}, counts);
    CHECK_INT(counts[2], 20000); /* of the two equals the first */
}

static void top_p_leaves_the_fewest_that_reach_it(void **state) {
    (void)state;
    size_t counts[N];
    /* 0.389, 0.389, 0.143, 0.053, … before the temperature: 0.7 takes two, 0.8 takes three */
    count((SamplerOpts){.temperature = 3, .top_p = 0.7f}, counts);
    CHECK_INT(counts[2] + counts[5], 20000);
    count((SamplerOpts){.temperature = 3, .top_p = 0.8f}, counts);
    CHECK(counts[3] > 0);
    CHECK_INT(counts[2] + counts[5] + counts[3], 20000);
    count((SamplerOpts){.temperature = 3, .top_p = 1e-6f}, counts);
    CHECK_INT(counts[2], 20000);
    /* within the two best, each has half: a third comes for nothing over that */
    count((SamplerOpts){.temperature = 3, .top_k = 2, .top_p = 0.4f}, counts);
    CHECK_INT(counts[2], 20000);
}

static void min_p_is_a_share_of_the_best(void **state) {
    (void)state;
    size_t counts[N];
    /* e^-1 is 0.37, e^-2 is 0.135 */
    count((SamplerOpts){.temperature = 4, .min_p = 0.3f}, counts);
    CHECK(counts[3] > 0);
    CHECK_INT(counts[2] + counts[3] + counts[5], 20000);
    count((SamplerOpts){.temperature = 4, .min_p = 1}, counts);
    CHECK_INT(counts[2] + counts[5], 20000);
}

static void seeds_decide_and_nothing_else(void **state) {
    (void)state;
    Sampler *a = open_with((SamplerOpts){.temperature = 2, .seed = 42}),
            *b = open_with((SamplerOpts){.temperature = 2, .seed = 42}),
            *c = open_with((SamplerOpts){.temperature = 2, .seed = 43});
    size_t differ = 0;
    for (int i = 0; i < 200; i++) {
        int32_t id = next(a);
        CHECK_INT(next(b), id);
        differ += next(c) != id;
    }
    CHECK(differ > 50);
    sampler_close(a);
    sampler_close(b);
    sampler_close(c);
    /* The first tokens of seed 42 stay what they are: from here on to the next machine (an independent
     * generator, written in Python, gave them). */
    static const int32_t first[] = {5, 2, 6, 5, 5, 4, 2, 5, 2, 6, 3, 5, 5, 1, 3, 3};
    a = open_with((SamplerOpts){.temperature = 2, .seed = 42});
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) CHECK_INT(next(a), first[i]);
    sampler_close(a);
}

static void penalties_are_for_what_was_there(void **state) {
    (void)state;
    Sampler *s = open_with((SamplerOpts){.repeat_penalty = 2});
    CHECK_INT(next(s), 2);
    CHECK_INT(next(s), 5); /* 2 has 2.0 now */
    CHECK_INT(next(s), 3);
    CHECK_INT(next(s), 2); /* 2, 5: 2.0; 6: 2.0; 3: 1.5 */
    sampler_close(s);
    s = open_with((SamplerOpts){.presence_penalty = 1.5f, .repeat_last = 2});
    CHECK_INT(next(s), 2);
    CHECK_INT(next(s), 5);
    CHECK_INT(next(s), 3);
    CHECK_INT(next(s), 2); /* seen three ago: forgotten */
    sampler_close(s);
    s = open_with((SamplerOpts){.frequency_penalty = 1});
    for (int i = 0; i < 3; i++) sampler_see(s, 2);
    sampler_see(s, 5);
    sampler_see(s, -1);
    sampler_see(s, N);     /* no token: nothing happens */
    CHECK_INT(next(s), 3); /* 2: 1.0, 5: 3.0 and 3: 3.0, of which the first is taken */
    sampler_close(s);
    s = open_with((SamplerOpts){.repeat_penalty = 4});
    float negative[N] = {-1, -2, -3, -9, -9, -9, -9, -9};
    int32_t id = -1;
    sampler_see(s, 0);
    CHECK_OK(sampler_next(s, negative, &id));
    CHECK_INT(id, 1); /* -1 became -4 */
    sampler_close(s);
}

static void scores_that_are_no_numbers_are_an_error(void **state) {
    (void)state;
    Sampler *s = open_with((SamplerOpts){.temperature = 1});
    int32_t id = -1;
    float nan[N] = {1, 2, NAN, 3, 0, 0, 0, 0}, none[N], infinite[N] = {0, INFINITY, 0, 0, 0, 0, 0, 0};
    for (size_t i = 0; i < N; i++) none[i] = -INFINITY;
    CHECK_ERR(sampler_next(s, nan, &id), ERR_CORRUPT, "the model's scores are not finite numbers");
    CHECK_ERR(sampler_next(s, none, &id), ERR_CORRUPT, "not finite");
    CHECK_ERR(sampler_next(s, infinite, &id), ERR_CORRUPT, "not finite");
    float some[N] = {-INFINITY, -INFINITY, 1, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    CHECK_OK(sampler_next(s, some, &id)); /* a token may be impossible */
    CHECK_INT(id, 2);
    sampler_close(s);
}

static void options_out_of_range_are_named(void **state) {
    (void)state;
    Sampler *s = NULL;
    CHECK_ERR(sampler_open(&s, &(SamplerOpts){.temperature = -1}, N), ERR_USAGE, "'temperature' cannot be -1");
    CHECK_ERR(sampler_open(&s, &(SamplerOpts){.temperature = NAN}, N), ERR_USAGE, "'temperature' cannot be nan");
    CHECK_ERR(sampler_open(&s, &(SamplerOpts){.top_p = 1.5f}, N), ERR_USAGE,
              "'top_p' cannot be 1.5; 0 to 1 is possible");
    CHECK_ERR(sampler_open(&s, &(SamplerOpts){.min_p = -0.5f}, N), ERR_USAGE, "'min_p'");
    CHECK_ERR(sampler_open(&s, &(SamplerOpts){.repeat_penalty = 101}, N), ERR_USAGE, "'repeat_penalty'");
    CHECK_ERR(sampler_open(&s, &(SamplerOpts){.repeat_last = 1 << 20}, N), ERR_USAGE, "'repeat_last'");
    CHECK(s == NULL);
    sampler_close(NULL);
}

/* The heap's choice against a plain sort, on a vocabulary with many equals. */
static void the_best_of_many_are_those_of_a_sort(void **state) {
    (void)state;
    enum { MANY = 5000 };
    static float logits[MANY], copy[MANY];
    Sampler *s = NULL;
    CHECK_OK(sampler_open(&s, &(SamplerOpts){.temperature = 50, .top_k = 10, .seed = 3}, MANY));
    for (size_t i = 0; i < MANY; i++) logits[i] = (float)(i * 7919 % 997) / 100;
    for (int draw = 0; draw < 300; draw++) {
        int32_t id = -1;
        size_t better = 0;
        memcpy(copy, logits, sizeof copy);
        CHECK_OK(sampler_next(s, copy, &id));
        for (size_t i = 0; i < MANY; i++)
            better += logits[i] > logits[id] || (logits[i] == logits[id] && i < (size_t)id);
        CHECK(better < 10);
    }
    sampler_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_best_and_of_equals_the_first),
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(top_k_leaves_the_k_best),
        cmocka_unit_test(top_p_leaves_the_fewest_that_reach_it),
        cmocka_unit_test(min_p_is_a_share_of_the_best),
        cmocka_unit_test(seeds_decide_and_nothing_else),
        cmocka_unit_test(penalties_are_for_what_was_there),
        cmocka_unit_test(scores_that_are_no_numbers_are_an_error),
        cmocka_unit_test(options_out_of_range_are_named),
        cmocka_unit_test(the_best_of_many_are_those_of_a_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

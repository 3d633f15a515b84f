/* Fusion and the one score, over candidates made by hand. */
#include "check.h"
#include "search/fuse.h"

static Candidate lexical(int64_t chunk, float bm25) { return (Candidate){.chunk = chunk, .bm25 = bm25}; }
static Candidate vector(int64_t chunk, float cosine) {
    return (Candidate){.chunk = chunk, .cosine = cosine, .has_cosine = true};
}

static void candidates_of_both_arms_are_joined_with_both_ranks(void **state) {
    (void)state;
    Candidate lex[] = {lexical(7, 4), lexical(5, 9), lexical(6, 4)};
    Candidate vec[] = {vector(6, 0.5f), vector(8, 0.9f)};
    candidates_rank_lexical(lex, 3);
    candidates_rank_vector(vec, 2);
    CHECK_INT(lex[0].chunk, 5);
    CHECK_INT(lex[1].chunk, 6); /* ties by chunk */
    CHECK_INT(lex[2].lex_rank, 3);
    Candidate all[5] = {lex[0], lex[1], lex[2], vec[0], vec[1]};
    CHECK_INT(candidates_merge(all, 5), 4);
    CHECK_INT(all[1].chunk, 6);
    CHECK_INT(all[1].lex_rank, 2);
    CHECK_INT(all[1].vec_rank, 2);
    CHECK_NEAR(all[1].bm25, 4, 0);
    CHECK_NEAR(all[1].cosine, 0.5, 0);
    CHECK(all[1].has_cosine);
    CHECK(!all[0].has_cosine);
    CHECK_INT(all[3].chunk, 8);
    CHECK_INT(all[3].lex_rank, 0);
}

static void the_same_chunk_number_in_two_sources_is_two_candidates(void **state) {
    (void)state;
    Candidate all[] = {lexical(1, 2), lexical(1, 3)};
    all[1].source = 1;
    CHECK_INT(candidates_merge(all, 2), 2);
}

static void convex_fusion_weighs_cosine_and_relative_bm25(void **state) {
    (void)state;
    FuseRule rule = {MODE_HYBRID, FUSION_CONVEX, 0.7f, 20};
    Candidate c = {.bm25 = 10, .cosine = 0.6f, .has_cosine = true, .lex_rank = 2, .vec_rank = 5};
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 0.7 * 0.6 + 0.3 * 0.5, 1e-6);
    CHECK_NEAR(c.score, 0.7 * 0.6 + 0.3 * 0.5, 1e-6); /* 10 is the bm25 that scores a half */
    rule.bm25_full = 0;
    c.bm25 = 0;
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 0.7 * 0.6, 1e-6);
}

static void a_full_match_has_two_rare_words_at_least(void **state) {
    (void)state;
    CHECK_NEAR(fuse_full_least(0, 0.9f), 0, 0);
    CHECK_NEAR(fuse_full_least(100000, 0.9f), 1.8 * 1.9 * 11.512935, 1e-3);
    CHECK_NEAR(fuse_full_least(100000, 1.9f), 1.8 * 2.9 * 11.512935,
               1e-3); /* what k1 makes of an occurrence cancels out */
}

static void reciprocal_ranks_are_summed(void **state) {
    (void)state;
    FuseRule rule = {MODE_HYBRID, FUSION_RRF, 0.7f, 20};
    Candidate c = {.bm25 = 10, .cosine = 0.6f, .has_cosine = true, .lex_rank = 2, .vec_rank = 5};
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 1.0 / 62 + 1.0 / 65, 1e-7);
    c.vec_rank = 0;
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 1.0 / 62, 1e-7);
}

static void a_score_means_the_same_in_every_mode(void **state) {
    (void)state;
    Candidate c = {.bm25 = 10, .cosine = 0.5f, .has_cosine = true, .lex_rank = 1, .vec_rank = 1};
    static const SearchMode modes[] = {MODE_HYBRID, MODE_SEMANTIC, MODE_LEXICAL};
    for (size_t i = 0; i < 3; i++) {
        FuseRule rule = {modes[i], FUSION_CONVEX, 0.7f, 10};
        fuse_one(&rule, &c);
        CHECK_NEAR(c.score, 0.5, 1e-6);
        rule.fusion = FUSION_RRF;
        fuse_one(&rule, &c);
        CHECK_NEAR(c.score, 0.5, 1e-6);
    }
    /* the best of a hopeless query stays hopeless */
    FuseRule rule = {MODE_LEXICAL, FUSION_CONVEX, 0.7f, 0.5f};
    c = (Candidate){.bm25 = 0.5f, .lex_rank = 1};
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 1, 1e-6);
    CHECK(c.score < 0.05f);
    c = (Candidate){.cosine = -0.2f, .has_cosine = true};
    rule.mode = MODE_SEMANTIC;
    fuse_one(&rule, &c);
    CHECK_NEAR(c.score, 0, 0);
    c.cosine = 1.0000001f; /* rounding */
    fuse_one(&rule, &c);
    CHECK_NEAR(c.score, 1, 0);
}

static void a_static_table_moves_what_words_stand_in_for_and_nothing_else(void **state) {
    (void)state;
    const FuseRule rule = {.mode = MODE_HYBRID, .alpha = 0.7f, .bm25_full = 10};
    Candidate c = {.bm25 = 10, .lex_rank = 1, .most = 1, .has_shift = true, .shift = 0.2f};
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 0.7 * (0.5 + 0.2) + 0.3, 1e-6); /* bm25 10 stands in for 0.5 */
    c.shift = -0.1f;
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 0.7 * (0.5 - 0.1) + 0.3, 1e-6);
    c.shift = 0.3f;
    c.most = 0.6f; /* no more than what the vector arm left out */
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 0.7 * 0.6 + 0.3, 1e-6);
    c.has_cosine = true; /* its own vector decides */
    c.cosine = 0.25f;
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 0.7 * 0.25 + 0.3, 1e-6);
}

static void a_chunk_without_a_vector_is_judged_by_its_words(void **state) {
    (void)state;
    FuseRule rule = {MODE_HYBRID, FUSION_CONVEX, 0.7f, 10};
    Candidate c = {.bm25 = 10, .lex_rank = 1, .most = 1};
    fuse_one(&rule, &c);
    CHECK_NEAR(c.score, lexical_score(10), 1e-6);
    CHECK_NEAR(c.fused, 0.7 * 0.5 + 0.3, 1e-6);
    c.most = 0.4f; /* no more than what the vector arm left out */
    fuse_one(&rule, &c);
    CHECK_NEAR(c.fused, 0.7 * 0.4 + 0.3, 1e-6);
}

static void scores_never_rise_down_the_list(void **state) {
    (void)state;
    Arena a = {0};
    FuseRule rule = {MODE_HYBRID, FUSION_RRF, 0.7f, 30};
    Candidate all[60];
    uint32_t noise = 7;
    double before = 0, after = 0;
    for (int i = 0; i < 60; i++) {
        noise = noise * 1664525u + 1013904223u;
        all[i] = (Candidate){.chunk = i,
                             .bm25 = (float)(noise >> 20 & 31),
                             .cosine = (float)(noise >> 8 & 1023) / 1024.0f,
                             .has_cosine = true,
                             .lex_rank = i + 1,
                             .vec_rank = 60 - i};
        fuse_one(&rule, &all[i]);
        before += (double)all[i].score;
    }
    CHECK_OK(fuse_all(&a, &rule, all, 60));
    for (int i = 0; i < 60; i++) {
        after += (double)all[i].score;
        if (i) CHECK(all[i].score <= all[i - 1].score);
        if (i) CHECK(all[i].fused <= all[i - 1].fused);
    }
    CHECK_NEAR(after, before, 1e-3); /* means of groups keep the sum */
    Candidate one = {.bm25 = 3, .lex_rank = 1};
    CHECK_OK(fuse_all(&a, &rule, &one, 1));
    CHECK_OK(fuse_all(&a, &rule, NULL, 0));
    arena_free(&a);
}

static void a_name_stands_above_all_and_a_prior_takes_its_share(void **state) {
    (void)state;
    Arena a = {0};
    const FuseRule rule = {MODE_HYBRID, FUSION_CONVEX, 0.7f, 20};
    Candidate c[] = {{.chunk = 1, .bm25 = 20, .cosine = 0.99f, .has_cosine = true, .lex_rank = 1, .vec_rank = 1},
                     {.chunk = 2, .bm25 = 1, .cosine = 0.1f, .has_cosine = true, .lex_rank = 2},
                     {.chunk = 2, .named = 1, .most = 1}};
    CHECK_INT(candidates_merge(c, 3), 2);
    CHECK_OK(fuse_all(&a, &rule, c, 2));
    CHECK(c[0].chunk == 2 && c[1].chunk == 1);
    CHECK_NEAR(c[0].fused, 1 + 0.7 * 0.1 + 0.3 / 20, 1e-6);
    CHECK(c[0].score >= c[1].score && c[0].score >= 0.87f);
    fuse_lower(&c[0], 0.5f);
    CHECK_NEAR(c[0].fused, (1 + 0.7 * 0.1 + 0.3 / 20) / 2, 1e-6);
    CHECK_NEAR(c[0].prior, 0.5, 1e-9);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candidates_of_both_arms_are_joined_with_both_ranks),
        cmocka_unit_test(the_same_chunk_number_in_two_sources_is_two_candidates),
        cmocka_unit_test(convex_fusion_weighs_cosine_and_relative_bm25),
        cmocka_unit_test(a_full_match_has_two_rare_words_at_least),
        cmocka_unit_test(reciprocal_ranks_are_summed),
        cmocka_unit_test(a_score_means_the_same_in_every_mode),
        cmocka_unit_test(a_chunk_without_a_vector_is_judged_by_its_words),
        cmocka_unit_test(a_static_table_moves_what_words_stand_in_for_and_nothing_else),
        cmocka_unit_test(scores_never_rise_down_the_list),
        cmocka_unit_test(a_name_stands_above_all_and_a_prior_takes_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

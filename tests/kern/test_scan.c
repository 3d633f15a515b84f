/* The indexes' inner loops: every level against the scalar one, bit for bit, and that one against its definition. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "kern/kern.h"
#include "kern/scan.h"

static uint32_t state = 12345;

static uint32_t roll(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static float roll_float(void) { return (float)(roll() % 20001) / 10000.0f - 1.0f; }

/* Every table of this machine, each once. */
static size_t tables_here(const KernScan **out, size_t cap) {
    const Kern *levels[16];
    size_t n_levels = kern_levels(levels, 16), n = 0;
    for (size_t i = 0; i < n_levels; i++) {
        const KernScan *s = scan_find(levels[i]->name);
        bool seen = false;
        for (size_t k = 0; k < n; k++) seen |= out[k] == s;
        if (!seen && n < cap) out[n++] = s;
    }
    return n;
}

/* Else the tests below would compare the plain loops with themselves. */
static void every_level_but_the_plain_one_has_loops_of_its_own(void **st) {
    (void)st;
    const Kern *levels[16];
    size_t n = kern_levels(levels, 16);
    for (size_t i = 0; i < n; i++) {
        bool plain = strcmp(levels[i]->name, "scalar") == 0;
        CHECK((scan_find(levels[i]->name) == scan_find("scalar")) == plain);
    }
}

/* Tables, a block of codes and factors drawn at random. */
typedef struct {
    size_t tables;
    uint8_t *lut, *block; /* one byte past a multiple of 64: no level may count on that */
    uint16_t factors[SCAN_BLOCK];
} Block;

static Block block_rolled(size_t tables) {
    Block b = {.tables = tables, .lut = malloc(tables * SCAN_ENTRIES + 1), .block = malloc(tables * SCAN_BLOCK + 1)};
    unsigned most = scan_entry_max(tables);
    CHECK(b.lut && b.block);
    for (size_t i = 0; i < tables * 64; i++) {
        b.lut[i + 1] = (uint8_t)(i % 7 ? roll() % (most + 1) : most);
        b.block[i + 1] = (uint8_t)roll(); /* the upper two bits are to be ignored */
    }
    for (size_t v = 0; v < SCAN_BLOCK; v++) {
        float factor = roll_float() * 0.1f;
        uint32_t bits;
        memcpy(&bits, &factor, sizeof bits);
        b.factors[v] = (uint16_t)(bits >> 16);
    }
    return b;
}

static void block_free(Block *b) {
    free(b->lut);
    free(b->block);
}

static uint32_t block_sum(const Block *b, size_t v) {
    uint32_t sum = 0;
    for (size_t t = 0; t < b->tables; t++) sum += b->lut[1 + t * 64 + (b->block[1 + t * 64 + v] & 63)];
    return sum;
}

static uint64_t block_above(const KernScan *level, const Block *b, float shift, float floor) {
    return level->above(b->lut + 1, b->block + 1, b->tables, b->factors, shift, floor);
}

static void sums_of_look_ups_are_exact_on_every_level(void **st) {
    (void)st;
    static const size_t counts[] = {1, 2, 3, 4, 7, 8, 9, 16, 63, 64, 65, 257, 1040, 2731};
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8);
    CHECK(n >= 1);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        Block b = block_rolled(counts[c]);
        for (size_t v = 0; v < SCAN_BLOCK; v++) b.factors[v] = 0x3F80; /* 1: what is compared is the sum itself */
        for (size_t v = 0; v < SCAN_BLOCK; v++) {
            uint32_t sum = block_sum(&b, v);
            CHECK(sum < 65536);
            for (size_t l = 0; l < n; l++) {
                CHECK(block_above(levels[l], &b, 0, (float)sum - 0.5f) >> v & 1);
                CHECK(!(block_above(levels[l], &b, 0, (float)sum) >> v & 1)); /* above, not at */
            }
        }
        block_free(&b);
    }
}

static void tables_of_signs_are_the_same_on_every_level(void **st) {
    (void)st;
    enum { TABLES = 67 };
    float numbers[TABLES * 6], lows[TABLES];
    for (size_t t = 0; t < TABLES; t++) {
        lows[t] = 0.5f;
        for (size_t k = 0; k < 6; k++) {
            float x = numbers[t * 6 + k] = roll_float() * 8.0f;
            if (x < 0) lows[t] -= x;
        }
    }
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8);
    for (size_t l = 0; l < n; l++) {
        uint8_t lut[TABLES * SCAN_ENTRIES];
        levels[l]->entries(numbers, lows, TABLES, lut);
        for (size_t i = 0; i < TABLES * SCAN_ENTRIES; i++) {
            size_t t = i / SCAN_ENTRIES, e = i % SCAN_ENTRIES;
            float want = lows[t];
            for (size_t k = 0; k < 6; k++)
                if (e >> k & 1) want += numbers[t * 6 + k];
            CHECK_INT(lut[i], (int)want);
        }
    }
}

static void the_largest_entries_of_all_tables_still_fit(void **st) {
    (void)st;
    static const size_t counts[] = {1, 1040, 1041, 2731, 65535};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        CHECK(counts[c] * scan_entry_max(counts[c]) <= 65535 && scan_entry_max(counts[c]) >= 1);
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8);
    Block b = block_rolled(1040);
    memset(b.lut, 63, 1040 * SCAN_ENTRIES + 1);
    for (size_t v = 0; v < SCAN_BLOCK; v++) b.factors[v] = 0x3F80;
    for (size_t l = 0; l < n; l++) {
        CHECK(block_above(levels[l], &b, 0, 65519) == UINT64_MAX);
        CHECK(block_above(levels[l], &b, 0, 65520) == 0);
    }
    block_free(&b);
}

static void what_lies_above_the_floor_is_the_same_on_every_level(void **st) {
    (void)st;
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8), some = 0;
    for (int round = 0; round < 200; round++) {
        Block b = block_rolled(64);
        float shift = -2000 + roll_float() * 200, floor = roll_float() * 5; /* sums lie about 2,200 */
        uint64_t want = block_above(scan_find("scalar"), &b, shift, floor);
        some += want != 0 && want != UINT64_MAX;
        for (size_t l = 0; l < n; l++) CHECK(block_above(levels[l], &b, shift, floor) == want);
        CHECK(block_above(levels[n - 1], &b, shift, NAN) == 0);
        CHECK(block_above(levels[n - 1], &b, shift, -INFINITY) == UINT64_MAX);
        block_free(&b);
    }
    CHECK(some > 100);
}

static void bits_are_counted_on_every_level(void **st) {
    (void)st;
    uint64_t words[37];
    size_t want = 0;
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8);
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        words[w] = (uint64_t)roll() << 40 ^ (uint64_t)roll() << 20 ^ roll();
        for (size_t l = 0; l < n; l++) CHECK_INT(levels[l]->ones(words, w), want);
        for (size_t b = 0; b < 64; b++) want += words[w] >> b & 1;
    }
}

static void inner_products_of_bytes_are_exact_at_any_length(void **st) {
    (void)st;
    static const size_t lengths[] = {1, 15, 16, 31, 32, 33, 63, 64, 65, 96, 383, 384, 385, 1024};
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8);
    enum { ROWS = 7 };
    for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {
        size_t len = lengths[c];
        int16_t *query = malloc(len * 2 * sizeof *query);
        int8_t *bytes = malloc(ROWS * (len + 3));
        const int8_t *rows[ROWS];
        CHECK(query && bytes);
        for (size_t i = 0; i < len; i++)
            query[i] = (int16_t)(i % 5 ? (int)(roll() % 8001) - 4000 : i % 2 ? 16383 : -16383);
        for (size_t i = 0; i < ROWS * (len + 3); i++) bytes[i] = (int8_t)(i % 3 ? roll() : 0x80);
        for (size_t r = 0; r < ROWS; r++) rows[r] = bytes + r * (len + 3) + r % 3;
        for (size_t l = 0; l < n; l++)
            for (size_t m = 0; m <= ROWS; m++) {
                int32_t got[ROWS];
                levels[l]->dot8_each(query, rows, m, len, got);
                for (size_t r = 0; r < m; r++) {
                    int64_t want = 0;
                    for (size_t i = 0; i < len; i++) want += (int64_t)query[i] * rows[r][i];
                    CHECK_INT(got[r], want);
                    CHECK_INT(levels[l]->dot8(query, rows[r], len), want);
                }
            }
        free(query);
        free(bytes);
    }
}

static void inner_products_of_bytes_with_a_query_of_bytes_are_exact_at_any_length(void **st) {
    (void)st;
    static const size_t lengths[] = {1, 15, 16, 31, 32, 33, 63, 64, 65, 96, 384, 385, 16384};
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8);
    enum { ROWS = 7 };
    for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {
        size_t len = lengths[c];
        int8_t *query = malloc(len), *rows = malloc(ROWS * len);
        CHECK(query && rows);
        for (size_t i = 0; i < len; i++) query[i] = (int8_t)(i % 5 ? (int)(roll() % 255) - 127 : i % 2 ? 127 : -127);
        for (size_t i = 0; i < ROWS * len; i++) rows[i] = (int8_t)(i % 3 ? roll() : i % 2 ? 0x80 : 0x7F);
        for (size_t l = 0; l < n; l++)
            for (size_t m = 0; m <= ROWS; m++) {
                int32_t got[ROWS + 1];
                got[m] = 77;
                levels[l]->dots8(query, rows, m, len, got);
                for (size_t r = 0; r < m; r++) {
                    int64_t want = 0;
                    for (size_t i = 0; i < len; i++) want += (int64_t)query[i] * rows[r * len + i];
                    CHECK_INT(got[r], want);
                }
                CHECK_INT(got[m], 77);
            }
        free(query);
        free(rows);
    }
}

static void the_hadamard_transform_is_its_definition_and_its_own_inverse(void **st) {
    (void)st;
    const KernScan *levels[8];
    size_t n = tables_here(levels, 8);
    for (size_t len = 16; len <= 1024; len *= 2) {
        float *x = malloc(len * sizeof *x), *y = malloc(len * sizeof *y), *first = malloc(len * sizeof *first);
        CHECK(x && y && first);
        for (size_t i = 0; i < len; i++) x[i] = roll_float();
        for (size_t l = 0; l < n; l++) {
            memcpy(y, x, len * sizeof *x);
            levels[l]->hadamard(y, len);
            for (size_t i = 0; i < len; i += 13) {
                double want = 0;
                for (size_t k = 0; k < len; k++) want += __builtin_popcountll(i & k) % 2 ? -(double)x[k] : (double)x[k];
                CHECK_NEAR(y[i], want, 1e-3);
            }
            if (l == 0) memcpy(first, y, len * sizeof *y);
            CHECK(memcmp(first, y, len * sizeof *y) == 0);
            levels[l]->hadamard(y, len);
            for (size_t i = 0; i < len; i++) CHECK_NEAR(y[i] / (float)len, x[i], 1e-5);
        }
        free(x);
        free(y);
        free(first);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_but_the_plain_one_has_loops_of_its_own),
        cmocka_unit_test(sums_of_look_ups_are_exact_on_every_level),
        cmocka_unit_test(tables_of_signs_are_the_same_on_every_level),
        cmocka_unit_test(the_largest_entries_of_all_tables_still_fit),
        cmocka_unit_test(bits_are_counted_on_every_level),
        cmocka_unit_test(what_lies_above_the_floor_is_the_same_on_every_level),
        cmocka_unit_test(inner_products_of_bytes_are_exact_at_any_length),
        cmocka_unit_test(inner_products_of_bytes_with_a_query_of_bytes_are_exact_at_any_length),
        cmocka_unit_test(the_hadamard_transform_is_its_definition_and_its_own_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

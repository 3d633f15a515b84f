/* test_block.c - the decoders of GGUF's number formats against the reference (tests/golden/blocks.txt, made by
 * tools/make_goldens.py with the gguf package). */
#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "check.h"
#include "kern/block.h"

static const BlockFormat *format_named(Str name) {
    for (uint32_t type = 0; type < 64; type++) {
        const BlockFormat *f = block_format(type);
        if (f && str_is(name, f->name)) return f;
    }
    return NULL;
}

static void every_format_decodes_to_the_reference_bits(void **state) {
    (void)state;
    Arena a = {0};
    Str text, line;
    size_t formats = 0;
    CHECK_OK(file_read(&a, TESTS_DIR "/golden/blocks.txt", 1 << 20, &text));
    while (str_line(&text, &line)) {
        Str name, blocks_hex, floats_hex;
        CHECK(str_cut(&line, ' ', &name) && str_cut(&line, ' ', &blocks_hex) && str_cut(&line, ' ', &floats_hex));
        const BlockFormat *f = format_named(name);
        CHECK(f && f->decode);
        size_t n = floats_hex.n / 8;
        CHECK_INT(blocks_hex.n / 2 * f->items, n * f->bytes);
        uint8_t *blocks = arena_alloc(&a, blocks_hex.n / 2 + 1);
        float *want = arena_array(&a, float, n), *got = arena_array(&a, float, n + 1);
        CHECK(hex_read(floats_hex, (uint8_t *)want, n * sizeof *want));
        for (size_t shift = 0; shift < 2; shift++) { /* the source need not be aligned */
            CHECK(hex_read(blocks_hex, blocks + shift, blocks_hex.n / 2));
            got[n] = 12345.0f;
            f->decode(blocks + shift, n, got);
            for (size_t i = 0; i < n; i++)
                if (memcmp(&got[i], &want[i], sizeof *got) != 0)
                    fail_msg("%s: number %zu is %.9g, the reference has %.9g", f->name, i, (double)got[i],
                             (double)want[i]);
            CHECK(got[n] == 12345.0f);
        }
        formats++;
    }
    CHECK_INT(formats, 11);
    arena_free(&a);
}

static void formats_are_found_by_number(void **state) {
    (void)state;
    CHECK_STR(str_of(block_format(BLOCK_Q4_K)->name), "Q4_K");
    CHECK_INT(block_format(14)->bytes, 210);
    CHECK(block_format(4) == NULL); /* Q4_2, long removed */
    CHECK(block_format(UINT32_MAX) == NULL);
    CHECK(block_format(BLOCK_IQ4_NL)->decode == NULL);
}

static void the_list_of_readable_formats_is_true(void **state) {
    (void)state;
    size_t readable = 0, listed = 0;
    Str names = str_of(block_readable_names()), name;
    for (uint32_t type = 0; type < 64; type++) readable += block_format(type) && block_format(type)->decode;
    while (str_cut(&names, ',', &name)) {
        const BlockFormat *f = format_named(str_trim(name));
        CHECK(f && f->decode);
        listed++;
    }
    CHECK_INT(listed, readable);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_decodes_to_the_reference_bits),
        cmocka_unit_test(formats_are_found_by_number),
        cmocka_unit_test(the_list_of_readable_formats_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files of vectors as others write them, and what they must not get away with. */
#include <stdlib.h>

#include "base/file.h"
#include "check.h"
#include "index/vectors.h"

/* A .npy file of version 1 as NumPy writes it: the header padded with blanks to a multiple of 64. */
static Str npy(Buf *b, const char *dictionary, const void *body, size_t n) {
    char header[118];
    memset(header, ' ', sizeof header);
    memcpy(header, dictionary, strlen(dictionary));
    header[sizeof header - 1] = '\n';
    buf_free(b);
    *b = (Buf){0};
    buf_add(b, (Str){"\x93NUMPY\x01\x00\x76\x00", 10});
    buf_add(b, (Str){header, sizeof header});
    buf_add(b, (Str){body, n});
    CHECK_OK(buf_ok(b));
    return buf_str(b);
}

static const float numbers[6] = {1, 2, 3, -4, 5.5f, 6};

static void check_numbers(Str bytes, bool is_npy) {
    VectorFile v;
    CHECK_OK(vectors_read(&v, bytes, is_npy, "x"));
    CHECK_INT(v.n, 2);
    CHECK_INT(v.dim, 3);
    for (size_t i = 0; i < 6; i++) CHECK_NEAR(v.rows[i], numbers[i], 0);
    vectors_close(&v);
}

static void npy_of_three_types_and_fvecs_are_read(void **st) {
    (void)st;
    Buf b = {0};
    double wide[6];
    for (size_t i = 0; i < 6; i++) wide[i] = (double)numbers[i];
    const uint16_t half[6] = {0x3C00, 0x4000, 0x4200, 0xC400, 0x4580, 0x4600};
    check_numbers(npy(&b, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", numbers, sizeof numbers),
                  true);
    check_numbers(npy(&b, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", wide, sizeof wide), true);
    check_numbers(npy(&b, "{'shape':(2,3,),'fortran_order':False,'descr':'<f2'}", half, sizeof half), true);
    uint8_t rows[2 * 16];
    const uint32_t dim = 3;
    for (size_t i = 0; i < 2; i++) {
        memcpy(rows + 16 * i, &dim, 4);
        memcpy(rows + 16 * i + 4, numbers + 3 * i, 12);
    }
    check_numbers((Str){(const char *)rows, sizeof rows}, false);
    buf_free(&b);
}

static void check_refused(Str bytes, bool is_npy, const char *text) {
    VectorFile v;
    CHECK_ERR(vectors_read(&v, bytes, is_npy, "x"), ERR_INPUT, text);
    CHECK(!v.owned);
}

static void what_is_no_matrix_of_numbers_is_refused(void **st) {
    (void)st;
    Buf b = {0};
    static const struct {
        const char *dictionary, *text;
    } bad[] = {
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", "numbers of type '<i4'"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", "numbers of type '>f4'"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", "not in C order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", "not two dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }", "not two dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", "its shape (2, 4) says otherwise"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", "its shape (0, 3) says otherwise"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "says otherwise"},
        {"{'descr': '<f4', 'fortran_order': False}", "not two dimensions"},
        {"{'descr'", "numbers of type"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(npy(&b, bad[i].dictionary, numbers, sizeof numbers), true, bad[i].text);
    Str good = npy(&b, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", numbers, sizeof numbers);
    for (size_t cut = 0; cut < good.n; cut++) {
        VectorFile v;
        CHECK_INT(vectors_read(&v, (Str){good.p, cut}, true, "x"), ERR_INPUT);
    }
    const uint32_t ragged[] = {1, 0, 2, 0}, none[] = {0, 0}, torn[] = {3, 0, 0};
    check_refused((Str){(const char *)ragged, sizeof ragged}, false, "row 1 has 2 numbers, the first has 1");
    check_refused((Str){(const char *)none, sizeof none}, false, "no whole rows of 0 numbers");
    check_refused((Str){(const char *)torn, sizeof torn}, false, "no whole rows of 3 numbers");
    check_refused(STR("ab"), false, "has no vectors");
    buf_free(&b);
}

static void a_file_is_read_by_its_ending(void **st) {
    (void)st;
    const char *dir = check_temp_dir();
    char path[600];
    Buf b = {0};
    VectorFile v;
    (void)snprintf(path, sizeof path, "%s/a.npy", dir);
    CHECK_OK(file_write_atomic(
        path, npy(&b, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", numbers, sizeof numbers), 0644));
    CHECK_OK(vectors_open(&v, path));
    CHECK_INT(v.n, 2);
    CHECK_NEAR(v.rows[5], 6, 0);
    vectors_close(&v);
    CHECK_ERR(vectors_open(&v, "a.txt"), ERR_INPUT, "'a.txt' is neither .npy nor .fvecs");
    (void)snprintf(path, sizeof path, "%s/none.npy", dir);
    CHECK(vectors_open(&v, path) != ERR_OK);
    CHECK(strstr(err_text(), "none.npy"));
    buf_free(&b);
    CHECK_OK(file_remove_tree(dir));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_of_three_types_and_fvecs_are_read),
        cmocka_unit_test(what_is_no_matrix_of_numbers_is_refused),
        cmocka_unit_test(a_file_is_read_by_its_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

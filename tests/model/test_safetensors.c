/* safetensors files, sound and hostile. */
#include "check.h"

#include "base/arena.h"
#include "base/file.h"
#include "model/safetensors.h"

/* A file of this header and n bytes of data 0, 1, 2, … */
static Str make(Buf *b, const char *header, size_t n) {
    uint64_t length = strlen(header);
    buf_clear(b);
    for (int i = 0; i < 8; i++) buf_char(b, (char)(length >> 8 * i & 255));
    buf_add_z(b, header);
    for (size_t i = 0; i < n; i++) buf_char(b, (char)i);
    return buf_str(b);
}

static void check_refused(const char *header, size_t n, Err code, const char *part) {
    Buf b = {0};
    Safetensors *s = NULL;
    CHECK_ERR(safetensors_open_bytes(&s, make(&b, header, n), "x.safetensors"), code, part);
    CHECK(s == NULL);
    buf_free(&b);
}

static void tensors_come_in_the_order_of_their_data(void **state) {
    (void)state;
    Buf b = {0};
    Safetensors *s = NULL;
    CHECK_OK(safetensors_open_bytes(&s,
                                    make(&b,
                                         "{\"__metadata__\":{\"format\":\"pt\"},"
                                         "\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
                                         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                                         "\"none\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[8,8]},"
                                         "\"one\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[20,21]}}   ",
                                         21),
                                    "x"));
    CHECK_INT(safetensors_count(s), 4);
    CHECK_STR(safetensors_at(s, 0)->name, "a");
    CHECK_STR(safetensors_at(s, 1)->name, "none");
    const SafeTensor *t = safetensors_find(s, "b");
    CHECK(t && t == safetensors_at(s, 2));
    CHECK(t->type == SAFE_F16 && t->n_dims == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->items == 6);
    CHECK(t->data.n == 12 && t->data.p[0] == 8);
    CHECK_INT(safetensors_find(s, "one")->n_dims, 0);
    CHECK_INT(safetensors_find(s, "one")->data.n, 1);
    CHECK(safetensors_find(s, "none")->data.n == 0 && safetensors_find(s, "__metadata__") == NULL);
    CHECK_STR(str_of(safe_type_name(SAFE_BF16)), "BF16");
    safetensors_close(s);
    buf_free(&b);
}

static void a_file_without_tensors_is_sound(void **state) {
    (void)state;
    Buf b = {0};
    Safetensors *s = NULL;
    CHECK_OK(safetensors_open_bytes(&s, make(&b, "{}", 0), "x"));
    CHECK_INT(safetensors_count(s), 0);
    CHECK(safetensors_find(s, "a") == NULL);
    safetensors_close(s);
    buf_free(&b);
}

static void a_short_file_is_refused(void **state) {
    (void)state;
    Buf b = {0};
    Safetensors *s = NULL;
    Str whole = make(&b, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4);
    for (size_t n = 0; n < whole.n; n++) { /* each prefix, in memory of its own size */
        char *exact = malloc(n ? n : 1);
        memcpy(exact, whole.p, n);
        CHECK_INT(safetensors_open_bytes(&s, str_make(exact, n), "x"), ERR_CORRUPT);
        free(exact);
    }
    CHECK_ERR(safetensors_open_bytes(&s, str_make("\x02\0\0\0\0\0\0", 7), "x"), ERR_CORRUPT, "7 bytes: no safetensors");
    CHECK_ERR(safetensors_open_bytes(&s, str_make("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "x"), ERR_CORRUPT,
              "header of 18446744073709551615 bytes leaves the file of 10");
    buf_free(&b);
}

static void a_header_that_is_no_object_is_refused(void **state) {
    (void)state;
    check_refused("", 0, ERR_CORRUPT, "not JSON");
    check_refused("[]", 0, ERR_CORRUPT, "the header is no JSON object");
    check_refused("{\"a\":1,\"a\":2}", 0, ERR_CORRUPT, "duplicate");
    check_refused("{\"a\":1}", 0, ERR_CORRUPT, "tensor 'a' is not described by an object");
    check_refused("{\"a\":{}}", 0, ERR_CORRUPT, "tensor 'a' has no dtype");
    check_refused("{\"\\u0000\":{}}", 0, ERR_CORRUPT, "NUL");
}

static void shapes_and_types_that_lie_are_refused(void **state) {
    (void)state;
    check_refused("{\"a\":{\"dtype\":\"Q3\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, ERR_UNSUPPORTED,
                  "tensor 'a' has the unknown dtype 'Q3'");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, ERR_CORRUPT, "'a' has no shape");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, ERR_CORRUPT, "no count");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, ERR_CORRUPT, "no count");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
                  ERR_CORRUPT, "overflows");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, ERR_CORRUPT,
                  "tensor 'a' has 0 bytes");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, ERR_LIMIT,
                  "9 dimensions; the limit is 8");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, ERR_CORRUPT,
                  "tensor 'a' has 4 bytes; its shape and dtype ask for 8");
}

static void places_that_lie_are_refused(void **state) {
    (void)state;
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, ERR_CORRUPT, "'a' has no data_offsets");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, ERR_CORRUPT, "no data_offsets");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, ERR_CORRUPT,
                  "bytes 4 to 0 of 4");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, ERR_CORRUPT, "bytes -4 to 0");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, ERR_CORRUPT,
                  "bytes 0 to 8 of 4");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, ERR_CORRUPT,
                  "4 bytes of data belong to no tensor");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                  4, ERR_CORRUPT, "tensor 'b' begins at byte 0 of the data, expected 4");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[5,9]}}",
                  9, ERR_CORRUPT, "tensor 'b' begins at byte 5 of the data, expected 4");
}

static void a_path_is_opened_or_named(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    Safetensors *s = NULL;
    const char *path = path_join(&a, check_temp_dir(), "m.safetensors");
    CHECK_ERR(safetensors_open_path(&s, path), ERR_IO, path);
    CHECK_OK(
        file_write_atomic(path, make(&b, "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3), 0600));
    CHECK_OK(safetensors_open_path(&s, path));
    CHECK_INT(safetensors_find(s, "a")->data.p[2], 2);
    CHECK_STR(str_of(safetensors_name(s)), path);
    safetensors_close(s);
    Str dir = path_dir(str_of(path));
    CHECK_OK(file_remove_tree(arena_cstr(&a, dir)));
    buf_free(&b);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_come_in_the_order_of_their_data),
        cmocka_unit_test(a_file_without_tensors_is_sound),
        cmocka_unit_test(a_short_file_is_refused),
        cmocka_unit_test(a_header_that_is_no_object_is_refused),
        cmocka_unit_test(shapes_and_types_that_lie_are_refused),
        cmocka_unit_test(places_that_lie_are_refused),
        cmocka_unit_test(a_path_is_opened_or_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

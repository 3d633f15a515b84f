/* test_gguf.c - GGUF written and read back, and every way in which a file can lie. */
#include "base/file.h"
#include "check.h"
#include "model/gguf.h"

/* ---- a small file made by hand, byte by byte ---- */

static void u32_add(Buf *b, uint32_t v) { buf_add_bytes(b, &v, sizeof v); }
static void u64_add(Buf *b, uint64_t v) { buf_add_bytes(b, &v, sizeof v); }
static void str_add(Buf *b, const char *z) {
    u64_add(b, strlen(z));
    buf_add_z(b, z);
}

static void header_add(Buf *b, uint32_t version, uint64_t tensors, uint64_t keys) {
    buf_clear(b);
    buf_add_z(b, "GGUF");
    u32_add(b, version);
    u64_add(b, tensors);
    u64_add(b, keys);
}

static void key_add(Buf *b, const char *key, uint32_t type) {
    str_add(b, key);
    u32_add(b, type);
}

static void tensor_add(Buf *b, const char *name, uint32_t dims, const uint64_t *shape, uint32_t type, uint64_t offset) {
    str_add(b, name);
    u32_add(b, dims);
    for (uint32_t i = 0; i < dims && i < 8; i++) u64_add(b, shape[i]);
    u32_add(b, type);
    u64_add(b, offset);
}

static void pad_add(Buf *b) {
    while (b->n % 32) buf_char(b, 0);
}

/* Opens a copy of exactly these bytes, so that AddressSanitizer sees a read behind them; closes again. */
static Err open_exact(const void *bytes, size_t n) {
    Gguf *g = NULL;
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    if (n) memcpy(copy, bytes, n);
    Err err = gguf_open_bytes(&g, str_make(copy, n), "x.gguf");
    if (err) CHECK(g == NULL);
    gguf_close(g);
    free(copy);
    return err;
}

static Err open_buf(const Buf *b) { return open_exact(b->p, b->n); }

/* ---- round trip ---- */

static void set_everything(GgufWriter *w) {
    static const int16_t shorts[] = {-3, 0, 32767};
    static const double doubles[] = {0.5, -2};
    static const uint8_t bytes[] = {0, 255, 7};
    static const int64_t longs[] = {-5, 2147483648};
    static const Str words[] = {{"one", 3}, {"", 0}, {"zwölf", 6}};
    gguf_set_u8(w, "a.u8", 200);
    gguf_set_i8(w, "a.i8", -100);
    gguf_set_u16(w, "a.u16", 60000);
    gguf_set_i16(w, "a.i16", -30000);
    gguf_set_u32(w, "a.u32", 4000000000u);
    gguf_set_i32(w, "a.i32", -2000000000);
    gguf_set_u64(w, "a.u64", UINT64_MAX);
    gguf_set_i64(w, "a.i64", INT64_MIN);
    gguf_set_f32(w, "a.f32", 1.5f);
    gguf_set_f64(w, "a.f64", -0.1);
    gguf_set_bool(w, "a.yes", true);
    gguf_set_bool(w, "a.no", false);
    gguf_set_str(w, "a.str", STR("text with \0 inside"));
    gguf_set_strs(w, "b.words", words, 3);
    gguf_set_strs(w, "b.none", NULL, 0);
    gguf_set_array(w, "b.shorts", GGUF_I16, shorts, 3);
    gguf_set_array(w, "b.doubles", GGUF_F64, doubles, 2);
    gguf_set_array(w, "b.bytes", GGUF_U8, bytes, 3);
    gguf_set_array(w, "b.longs", GGUF_I64, longs, 2);
}

static const float floats[6] = {1, 2, 3, 4, 5, 6};

static void add_tensors(GgufWriter *w) {
    static const char blocks[2 * 34] = {1, 2, 3};
    gguf_add_tensor(w, "matrix", BLOCK_F32, (uint64_t[]){3, 2}, 2, str_make((const char *)floats, sizeof floats));
    gguf_add_tensor(w, "blocks", BLOCK_Q8_0, (uint64_t[]){64}, 1, str_make(blocks, sizeof blocks));
}

static void check_scalars(const Gguf *g) {
    uint32_t u = 0;
    uint64_t v = 0;
    int64_t i = 0;
    float f = 0;
    bool b = false;
    Str s = {"", 0};
    CHECK_OK(gguf_get_u32(g, "a.u8", &u));
    CHECK_INT(u, 200);
    CHECK_OK(gguf_get_i64(g, "a.i8", &i));
    CHECK_INT(i, -100);
    CHECK_OK(gguf_get_u32(g, "a.u16", &u));
    CHECK_INT(u, 60000);
    CHECK_OK(gguf_get_i64(g, "a.i16", &i));
    CHECK_INT(i, -30000);
    CHECK_OK(gguf_get_u32(g, "a.u32", &u));
    CHECK_INT(u, 4000000000u);
    CHECK_OK(gguf_get_i64(g, "a.i32", &i));
    CHECK_INT(i, -2000000000);
    CHECK_OK(gguf_get_u64(g, "a.u64", &v));
    CHECK(v == UINT64_MAX);
    CHECK_OK(gguf_get_i64(g, "a.i64", &i));
    CHECK(i == INT64_MIN);
    CHECK_OK(gguf_get_f32(g, "a.f32", &f));
    CHECK(f == 1.5f);
    CHECK_OK(gguf_get_f32(g, "a.f64", &f));
    CHECK(f == -0.1f);
    CHECK_OK(gguf_get_bool(g, "a.yes", &b));
    CHECK(b);
    CHECK_OK(gguf_get_bool(g, "a.no", &b));
    CHECK(!b);
    CHECK_OK(gguf_get_str(g, "a.str", &s));
    CHECK(str_eq(s, STR("text with \0 inside")));
}

static void check_arrays(const Gguf *g) {
    Arena a = {0};
    Str *strs = NULL, bytes = {"", 0};
    int32_t *ints = NULL;
    float *reals = NULL;
    size_t n = 0;
    CHECK_OK(gguf_get_strs(g, &a, "b.words", &strs, &n));
    CHECK_INT(n, 3);
    CHECK_STR(strs[0], "one");
    CHECK_STR(strs[1], "");
    CHECK_STR(strs[2], "zwölf");
    CHECK_OK(gguf_get_strs(g, &a, "b.none", &strs, &n));
    CHECK_INT(n, 0);
    CHECK_OK(gguf_get_i32s(g, &a, "b.shorts", &ints, &n));
    CHECK_INT(n, 3);
    CHECK_INT(ints[0], -3);
    CHECK_INT(ints[2], 32767);
    CHECK_OK(gguf_get_f32s(g, &a, "b.doubles", &reals, &n));
    CHECK_INT(n, 2);
    CHECK(reals[1] == -2.0f);
    CHECK_OK(gguf_get_u8s(g, "b.bytes", &bytes));
    CHECK(str_eq(bytes, STR("\0\xff\7")));
    CHECK_ERR(gguf_get_i32s(g, &a, "b.longs", &ints, &n), ERR_CORRUPT, "item 1 of key 'b.longs'");
    CHECK_ERR(gguf_get_i32s(g, &a, "b.words", &ints, &n), ERR_CORRUPT,
              "is an array of string, an array of integers is wanted");
    CHECK_ERR(gguf_get_strs(g, &a, "a.u8", &strs, &n), ERR_CORRUPT, "'a.u8'");
    CHECK_ERR(gguf_get_f32s(g, &a, "b.bytes", &reals, &n), ERR_CORRUPT, "an array of floats is wanted");
    CHECK_ERR(gguf_get_u8s(g, "b.shorts", &bytes), ERR_CORRUPT, "an array of bytes is wanted");
    n = 99;
    CHECK_OK(gguf_get_strs(g, &a, "no.such", &strs, &n)); /* missing: untouched */
    CHECK_INT(n, 99);
    arena_free(&a);
}

static void check_tensors(const Gguf *g) {
    CHECK_INT(gguf_tensors(g), 2);
    const GgufTensor *t = gguf_tensor(g, "matrix");
    CHECK(t != NULL && t == gguf_tensor_at(g, 0) && gguf_tensor_at(g, 2) == NULL);
    CHECK_INT(t->n_dims, 2);
    CHECK_INT(t->shape[0], 3);
    CHECK_INT(t->shape[1], 2);
    CHECK_INT(t->shape[3], 1);
    CHECK_INT(t->items, 6);
    CHECK_INT(t->data.n, sizeof floats);
    CHECK(str_eq(t->data, str_make((const char *)floats, sizeof floats)));
    CHECK_INT((t->data.p - gguf_bytes(g).p) % 32, 0);
    t = gguf_tensor(g, "blocks");
    CHECK(t != NULL && t->format == block_format(BLOCK_Q8_0));
    CHECK_INT(t->data.n, 68);
    CHECK(gguf_tensor(g, "Matrix") == NULL);
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    GgufWriter *w = NULL;
    Gguf *g = NULL;
    Buf path = {0}, bytes = {0};
    buf_printf(&path, "%s/all.gguf", check_temp_dir());
    CHECK_OK(gguf_writer_open(&w));
    set_everything(w);
    add_tensors(w);
    CHECK_OK(gguf_writer_write(w, path.p));
    CHECK_OK(gguf_writer_write(w, path.p)); /* over itself, too */
    CHECK_OK(gguf_writer_bytes(w, &bytes));
    CHECK_OK(gguf_open_path(&g, path.p));
    CHECK(str_eq(gguf_bytes(g), buf_str(&bytes)));
    CHECK_INT(gguf_version(g), 3);
    CHECK_INT(gguf_keys(g), 19);
    CHECK_STR(gguf_key_at(g, 0)->key, "a.u8");
    CHECK(gguf_key_at(g, 19) == NULL);
    check_scalars(g);
    check_arrays(g);
    check_tensors(g);
    gguf_forget(g, gguf_tensor(g, "matrix"));
    check_tensors(g); /* forgotten pages come back */
    gguf_close(g);
    gguf_writer_close(w);
    CHECK_OK(file_remove(path.p));
    buf_free(&path);
    buf_free(&bytes);
}

static void a_wrong_type_or_range_is_named(void **state) {
    (void)state;
    GgufWriter *w = NULL;
    Gguf *g = NULL;
    Buf bytes = {0};
    uint32_t u = 7;
    uint64_t v = 7;
    int64_t i = 7;
    float f = 7;
    bool b = true;
    Str s = {"", 0};
    CHECK_OK(gguf_writer_open(&w));
    set_everything(w);
    CHECK_OK(gguf_writer_bytes(w, &bytes));
    CHECK_OK(gguf_open_bytes(&g, buf_str(&bytes), "x.gguf"));
    CHECK_ERR(gguf_get_u32(g, "a.i8", &u), ERR_CORRUPT, "model 'x.gguf': key 'a.i8' is -100, which does not fit u32");
    CHECK_ERR(gguf_get_u32(g, "a.u64", &u), ERR_CORRUPT, "is 18446744073709551615, which does not fit u32");
    CHECK_ERR(gguf_get_u64(g, "a.i64", &v), ERR_CORRUPT, "does not fit u64");
    CHECK_ERR(gguf_get_i64(g, "a.u64", &i), ERR_CORRUPT, "does not fit i64");
    CHECK_ERR(gguf_get_u32(g, "a.f32", &u), ERR_CORRUPT, "is a value of type f32, an integer is wanted");
    CHECK_ERR(gguf_get_u32(g, "a.yes", &u), ERR_CORRUPT, "type bool, an integer");
    CHECK_ERR(gguf_get_f32(g, "a.u8", &f), ERR_CORRUPT, "a float is wanted");
    CHECK_ERR(gguf_get_bool(g, "a.u8", &b), ERR_CORRUPT, "a bool is wanted");
    CHECK_ERR(gguf_get_str(g, "b.words", &s), ERR_CORRUPT, "is an array of string, a string is wanted");
    CHECK_ERR(gguf_need(g, "c.none"), ERR_CORRUPT, "model 'x.gguf' has no key 'c.none'");
    CHECK_OK(gguf_need(g, "a.u8"));
    CHECK_OK(gguf_get_u32(g, "c.none", &u));
    CHECK_INT(u, 7);
    gguf_close(g);
    gguf_writer_close(w);
    buf_free(&bytes);
}

/* ---- the writer's errors ---- */

static void check_writer(void (*set)(GgufWriter *), Err code, const char *part) {
    GgufWriter *w = NULL;
    Buf bytes = {0};
    CHECK_OK(gguf_writer_open(&w));
    set(w);
    gguf_set_u32(w, "later", 1); /* the first error is kept */
    CHECK_ERR(gguf_writer_bytes(w, &bytes), code, part);
    gguf_writer_close(w);
    buf_free(&bytes);
}

static void set_twice(GgufWriter *w) {
    gguf_set_u32(w, "key", 1);
    gguf_set_bool(w, "key", true);
}
static void set_unnamed(GgufWriter *w) { gguf_set_u32(w, "", 1); }
static void set_nested(GgufWriter *w) { gguf_set_array(w, "key", GGUF_ARRAY, "x", 1); }
static void add_short(GgufWriter *w) { gguf_add_tensor(w, "t", BLOCK_F32, (uint64_t[]){3}, 1, STR("12345678")); }
static void add_flat(GgufWriter *w) { gguf_add_tensor(w, "t", BLOCK_F32, NULL, 0, STR("1234")); }
static void add_odd(GgufWriter *w) { gguf_add_tensor(w, "t", BLOCK_Q8_0, (uint64_t[]){33}, 1, STR("1234")); }
static void add_twice(GgufWriter *w) {
    gguf_add_tensor(w, "t", BLOCK_F32, (uint64_t[]){1}, 1, STR("1234"));
    gguf_add_tensor(w, "t", BLOCK_F32, (uint64_t[]){1}, 1, STR("1234"));
}
static void add_long_name(GgufWriter *w) {
    gguf_add_tensor(w, "a_name_of_a_tensor_that_has_more_bytes_than_the_64_that_gguf_allows", BLOCK_F32,
                    (uint64_t[]){1}, 1, STR("1234"));
}

static void the_writer_keeps_the_first_error(void **state) {
    (void)state;
    check_writer(set_twice, ERR_INPUT, "key 'key' is set twice");
    check_writer(set_unnamed, ERR_LIMIT, "key '' has 0 bytes");
    check_writer(set_nested, ERR_INPUT, "key 'key': no array of 1 items of type 9");
    check_writer(add_short, ERR_INPUT, "tensor 't' of 3 numbers in F32 does not have 8 bytes");
    check_writer(add_flat, ERR_INPUT, "0 dimensions");
    check_writer(add_odd, ERR_INPUT, "tensor 't' of 33 numbers in Q8_0");
    check_writer(add_twice, ERR_INPUT, "tensor 't' is set twice");
    check_writer(add_long_name, ERR_LIMIT, "1 to 64 are possible");
}

static void a_failed_write_leaves_the_old_file_and_nothing_beside_it(void **state) {
    (void)state;
    GgufWriter *w = NULL;
    Arena a = {0};
    Str old;
    const char *dir = check_temp_dir();
    const char *path = path_join(&a, dir, "m.gguf");
    CHECK_OK(file_write_atomic(path, STR("old"), 0644));
    CHECK_OK(gguf_writer_open(&w));
    set_everything(w);
    add_tensors(w);
    long calls = 1;
    for (;; calls++) {
        fault_arm(calls, 28); /* ENOSPC */
        Err err = gguf_writer_write(w, path);
        fault_arm(0, 0);
        if (!err) break;
        CHECK_INT(err, ERR_IO);
        CHECK_OK(file_read(&a, path, 1 << 20, &old));
        if (calls < 8) CHECK(strstr(err_text(), "m.gguf") != NULL);
        if (!str_is(old, "old")) break; /* only the folder's sync came after the rename */
    }
    CHECK(calls >= 5);
    CHECK_OK(gguf_writer_write(w, path));
    CHECK_OK(file_remove(path));
    CHECK_INT(rmdir(dir), 0); /* nothing else was left in it */
    gguf_writer_close(w);
    arena_free(&a);
}

/* ---- files that lie ---- */

static void a_missing_file_says_so(void **state) {
    (void)state;
    Gguf *g = NULL;
    CHECK_ERR(gguf_open_path(&g, "/nowhere/x.gguf"), ERR_NO_MODEL, "there is no model file '/nowhere/x.gguf'");
    CHECK(g == NULL);
    CHECK_ERR(gguf_open_path(&g, "/tmp"), ERR_IO, "/tmp");
}

static void headers_that_lie_are_refused(void **state) {
    (void)state;
    Buf b = {0};
    CHECK_ERR(open_exact("", 0), ERR_CORRUPT, "'x.gguf' is not a GGUF file");
    CHECK_ERR(open_exact("PK\3\4 this is a zip", 18), ERR_CORRUPT, "does not begin with \"GGUF\"");
    CHECK_ERR(open_exact("GGUF\3\0\0\0", 8), ERR_CORRUPT, "ends inside the header at byte 8: 8 bytes wanted, 0 left");
    header_add(&b, 1, 0, 0);
    CHECK_ERR(open_buf(&b), ERR_UNSUPPORTED, "is GGUF version 1; versions 2 and 3 can be read");
    header_add(&b, 4, 0, 0);
    CHECK_ERR(open_buf(&b), ERR_UNSUPPORTED, "version 4");
    header_add(&b, 0x03000000, 0, 0);
    CHECK_ERR(open_buf(&b), ERR_UNSUPPORTED, "big-endian");
    header_add(&b, 3, 0, UINT64_MAX);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "claims 18446744073709551615 keys at byte 16");
    header_add(&b, 3, UINT64_MAX / 8, 0);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "tensors at byte 8");
    header_add(&b, 3, 0, 0);
    CHECK_OK(open_buf(&b)); /* empty, but a GGUF */
    header_add(&b, 2, 0, 0);
    CHECK_OK(open_buf(&b));
    buf_free(&b);
}

static void keys_that_lie_are_refused(void **state) {
    (void)state;
    Buf b = {0};
    header_add(&b, 3, 0, 1);
    u64_add(&b, UINT64_MAX - 7); /* at + n would wrap */
    buf_add_z(&b, "12345678");
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "a key at byte 24 claims 18446744073709551608 bytes");
    header_add(&b, 3, 0, 1);
    key_add(&b, "", GGUF_U8);
    buf_add_z(&b, "123456789");
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "key at byte 24 is empty");
    header_add(&b, 3, 0, 1);
    key_add(&b, "k", 13);
    u64_add(&b, 0);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "key 'k' at byte 24 has the unknown type 13");
    header_add(&b, 3, 0, 1);
    key_add(&b, "k", GGUF_BOOL);
    buf_char(&b, 2);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "key 'k' holds 2 at byte 37, a bool is 0 or 1");
    header_add(&b, 3, 0, 1);
    key_add(&b, "k", GGUF_STR);
    u64_add(&b, 100);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "a string at byte 37 claims 100 bytes, the file has 0 left");
    header_add(&b, 3, 0, 2);
    key_add(&b, "k", GGUF_U8);
    buf_char(&b, 1);
    key_add(&b, "k", GGUF_U8);
    buf_char(&b, 1);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "key 'k' at byte 38 was there before");
    buf_free(&b);
}

static void arrays_that_lie_are_refused(void **state) {
    (void)state;
    Buf b = {0};
    header_add(&b, 3, 0, 1);
    key_add(&b, "k", GGUF_ARRAY);
    u32_add(&b, GGUF_U64);
    u64_add(&b, UINT64_MAX / 8 + 2); /* times 8 wraps to 8 */
    u64_add(&b, 0);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "key 'k' at byte 37 claims 2305843009213693953 items");
    header_add(&b, 3, 0, 1);
    key_add(&b, "k", GGUF_ARRAY);
    u32_add(&b, GGUF_ARRAY);
    u64_add(&b, 1);
    CHECK_ERR(open_buf(&b), ERR_UNSUPPORTED, "key 'k' at byte 37 is an array of arrays");
    header_add(&b, 3, 0, 1);
    key_add(&b, "k", GGUF_ARRAY);
    u32_add(&b, 77);
    u64_add(&b, 1);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "an array of the unknown type 77");
    header_add(&b, 3, 0, 1);
    key_add(&b, "k", GGUF_ARRAY);
    u32_add(&b, GGUF_STR);
    u64_add(&b, 2);
    str_add(&b, "fine");
    u64_add(&b, 1u << 30);
    CHECK_ERR(open_buf(&b), ERR_CORRUPT, "a string of an array at byte 61 claims 1073741824 bytes");
    buf_free(&b);
}

/* One tensor, 64 bytes of data behind it. */
static Err open_tensor(uint32_t dims, const uint64_t *shape, uint32_t type, uint64_t offset) {
    Buf b = {0};
    header_add(&b, 3, 1, 0);
    tensor_add(&b, "t", dims, shape, type, offset);
    pad_add(&b);
    for (int i = 0; i < 64; i++) buf_char(&b, 1);
    Err err = open_buf(&b);
    buf_free(&b);
    return err;
}

static void tensors_that_lie_are_refused(void **state) {
    (void)state;
    CHECK_OK(open_tensor(1, (uint64_t[]){16}, BLOCK_F32, 0));
    CHECK_OK(open_tensor(2, (uint64_t[]){4, 2}, BLOCK_F32, 32));
    CHECK_ERR(open_tensor(1, (uint64_t[]){17}, BLOCK_F32, 0), ERR_CORRUPT,
              "tensor 't' leaves the file: 68 bytes at offset 0 of 64 bytes of data");
    CHECK_ERR(open_tensor(1, (uint64_t[]){8}, BLOCK_F32, 64), ERR_CORRUPT, "leaves the file");
    CHECK_ERR(open_tensor(1, (uint64_t[]){8}, BLOCK_F32, UINT64_MAX - 31), ERR_CORRUPT, "leaves the file");
    CHECK_ERR(open_tensor(1, (uint64_t[]){8}, BLOCK_F32, 8), ERR_CORRUPT,
              "lies at offset 8, not a multiple of the alignment 32");
    CHECK_ERR(open_tensor(0, NULL, BLOCK_F32, 0), ERR_CORRUPT, "0 dimensions, 1 to 4 are possible");
    CHECK_ERR(open_tensor(5, (uint64_t[]){1, 1, 1, 1, 1}, BLOCK_F32, 0), ERR_CORRUPT, "5 dimensions");
    CHECK_ERR(open_tensor(2, (uint64_t[]){4, 0}, BLOCK_F32, 0), ERR_CORRUPT, "(dimension 1 is 0)");
    CHECK_ERR(open_tensor(2, (uint64_t[]){(uint64_t)1 << 33, (uint64_t)1 << 33}, BLOCK_F32, 0), ERR_CORRUPT,
              "impossible shape");
    CHECK_ERR(open_tensor(1, (uint64_t[]){(uint64_t)1 << 62}, BLOCK_F32, 0), ERR_CORRUPT, "impossible shape");
    CHECK_ERR(open_tensor(1, (uint64_t[]){33}, BLOCK_Q8_0, 0), ERR_CORRUPT,
              "rows of 33 numbers, Q8_0 wants a multiple of 32");
    CHECK_ERR(open_tensor(1, (uint64_t[]){8}, 4, 0), ERR_UNSUPPORTED, "has the unknown type 4");
    CHECK_OK(open_tensor(1, (uint64_t[]){32}, BLOCK_IQ4_NL,
                         0)); /* known; that it cannot be decoded is the network's matter */
}

static void tensors_twice_or_over_each_other_are_refused(void **state) {
    (void)state;
    Buf b = {0};
    for (int same_name = 0; same_name < 2; same_name++) {
        header_add(&b, 3, 2, 0);
        tensor_add(&b, "one", 1, (uint64_t[]){16}, BLOCK_F32, 0);
        tensor_add(&b, same_name ? "one" : "two", 1, (uint64_t[]){8}, BLOCK_F32, 32);
        pad_add(&b);
        for (int i = 0; i < 64; i++) buf_char(&b, 1);
        if (same_name)
            CHECK_ERR(open_buf(&b), ERR_CORRUPT, "tensor 'one' at byte 59 was there before");
        else
            CHECK_ERR(open_buf(&b), ERR_CORRUPT, "tensors 'one' and 'two' overlap");
    }
    buf_free(&b);
}

static void alignment_is_taken_from_the_file_and_checked(void **state) {
    (void)state;
    static const uint32_t bad[] = {0, 3, 48, 1u << 31};
    Buf b = {0};
    for (size_t i = 0; i < 4; i++) {
        header_add(&b, 3, 0, 1);
        key_add(&b, "general.alignment", GGUF_U32);
        u32_add(&b, bad[i]);
        CHECK_ERR(open_buf(&b), ERR_CORRUPT, "general.alignment is");
    }
    header_add(&b, 3, 1, 1);
    key_add(&b, "general.alignment", GGUF_U32);
    u32_add(&b, 8);
    tensor_add(&b, "t", 1, (uint64_t[]){2}, BLOCK_F32, 8);
    while (b.n % 8) buf_char(&b, 0);
    for (int i = 0; i < 16; i++) buf_char(&b, 1);
    CHECK_OK(open_buf(&b));
    buf_free(&b);
}

static void every_truncation_is_refused_and_every_flipped_byte_survived(void **state) {
    (void)state;
    GgufWriter *w = NULL;
    Buf bytes = {0};
    CHECK_OK(gguf_writer_open(&w));
    set_everything(w);
    add_tensors(w);
    CHECK_OK(gguf_writer_bytes(w, &bytes));
    gguf_writer_close(w);
    CHECK_OK(open_buf(&bytes));
    size_t data_end = bytes.n - (32 - 68 % 32); /* without the padding behind the last tensor */
    for (size_t n = 0; n < data_end; n++) CHECK(open_exact(bytes.p, n) != ERR_OK);
    for (size_t n = data_end; n < bytes.n; n++) CHECK_OK(open_exact(bytes.p, n));
    for (size_t i = 0; i < bytes.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes.p[i] = (char)(bytes.p[i] ^ 1 << bit);
            (void)!open_buf(&bytes); /* any answer, but an answer */
            bytes.p[i] = (char)(bytes.p[i] ^ 1 << bit);
        }
    buf_free(&bytes);
}

static void files_of_the_reference_writer_are_read(void **state) {
    (void)state;
    Gguf *g = NULL;
    Str arch = {"", 0};
    CHECK_OK(gguf_open_path(&g, TESTS_DIR "/golden/tiny_bert_mixed.gguf"));
    CHECK_OK(gguf_get_str(g, "general.architecture", &arch));
    CHECK_STR(arch, "bert");
    CHECK_STR(str_of(gguf_tensor(g, "token_embd.weight")->format->name), "Q8_0");
    CHECK_INT(gguf_key(g, "tokenizer.ggml.tokens")->count, gguf_tensor(g, "token_embd.weight")->shape[1]);
    gguf_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_wrong_type_or_range_is_named),
        cmocka_unit_test(the_writer_keeps_the_first_error),
        cmocka_unit_test(a_failed_write_leaves_the_old_file_and_nothing_beside_it),
        cmocka_unit_test(a_missing_file_says_so),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(keys_that_lie_are_refused),
        cmocka_unit_test(arrays_that_lie_are_refused),
        cmocka_unit_test(tensors_that_lie_are_refused),
        cmocka_unit_test(tensors_twice_or_over_each_other_are_refused),
        cmocka_unit_test(alignment_is_taken_from_the_file_and_checked),
        cmocka_unit_test(every_truncation_is_refused_and_every_flipped_byte_survived),
        cmocka_unit_test(files_of_the_reference_writer_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

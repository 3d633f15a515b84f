/* Models as files: listed, named, known by their hash, verified. */
#include "check.h"

#include <math.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/file.h"
#include "model/gguf.h"
#include "model/model.h"

static const char tiny[] = TESTS_DIR "/golden/tiny_bert.gguf";

typedef struct {
    Arena arena;
    const char *dir;
} Folder;

static Folder folder_open(void) {
    Folder f = {0};
    f.dir = arena_cstr(&f.arena, str_of(check_temp_dir()));
    return f;
}
static void folder_close(Folder *f) {
    CHECK_OK(file_remove_tree(f->dir));
    arena_free(&f->arena);
}
static const char *at(Folder *f, const char *name) { return path_join(&f->arena, f->dir, name); }
static void put(Folder *f, const char *name, Str content) { CHECK_OK(file_write_atomic(at(f, name), content, 0600)); }
static Str tiny_bytes(Folder *f) {
    Str bytes = {"", 0};
    CHECK_OK(file_read(&f->arena, tiny, 1 << 24, &bytes));
    return bytes;
}
static FileType type_of(const char *path) {
    FileInfo info;
    CHECK_OK(file_info(path, false, &info));
    return info.type;
}

/* ---- lists and names ---- */

static void a_list_is_sorted_and_keeps_what_is_broken(void **state) {
    (void)state;
    Folder f = folder_open();
    ModelEntry *list = NULL;
    size_t n = 7;
    CHECK_OK(model_list(&f.arena, at(&f, "missing"), &list, &n));
    CHECK_INT(n, 0);
    CHECK_OK(model_list(&f.arena, f.dir, &list, &n));
    CHECK_INT(n, 0);
    put(&f, "b.gguf", tiny_bytes(&f));
    put(&f, "a.gguf", STR("GGUX"));
    put(&f, "note.txt", STR("x"));
    put(&f, ".hidden.gguf", STR("x"));
    CHECK_OK(model_list(&f.arena, f.dir, &list, &n));
    CHECK_INT(n, 2);
    CHECK_STR(str_of(list[0].name), "a");
    CHECK(list[0].broken && strstr(list[0].problem, "a.gguf"));
    CHECK_STR(str_of(list[1].name), "b");
    CHECK(!list[1].broken && list[1].problem == NULL);
    CHECK_STR(list[1].info.arch, "bert");
    CHECK_STR(str_of(list[1].path), at(&f, "b.gguf"));
    CHECK_INT(list[1].bytes, tiny_bytes(&f).n);
    CHECK(list[1].info.dim > 0 && list[1].info.n_vocab > 0);
    folder_close(&f);
}

static void a_name_or_a_path_is_found(void **state) {
    (void)state;
    Folder f = folder_open();
    const char *path = NULL;
    put(&f, "m.gguf", tiny_bytes(&f));
    CHECK_OK(model_resolve(&f.arena, f.dir, STR("m"), &path));
    CHECK_STR(str_of(path), at(&f, "m.gguf"));
    CHECK_OK(model_resolve(&f.arena, f.dir, STR("m.gguf"), &path));
    CHECK_STR(str_of(path), at(&f, "m.gguf"));
    CHECK_OK(model_resolve(&f.arena, "/nowhere", str_of(at(&f, "m.gguf")), &path));
    CHECK_STR(str_of(path), at(&f, "m.gguf"));
    CHECK_ERR(model_resolve(&f.arena, f.dir, STR("x"), &path), ERR_NO_MODEL, "there is no model 'x' in '");
    CHECK(strstr(err_text(), "; there: m"));
    CHECK_STR(str_of(err_fix_text()), "pythia model import DIR --name x");
    CHECK(path == NULL);
    CHECK_ERR(model_resolve(&f.arena, "/nowhere", STR("x"), &path), ERR_NO_MODEL, "there: none");
    CHECK_ERR(model_resolve(&f.arena, f.dir, STR("./x.gguf"), &path), ERR_NO_MODEL, "there is no model './x.gguf'");
    CHECK_ERR(model_resolve(&f.arena, f.dir, str_of(f.dir), &path), ERR_NO_MODEL, "is not a file");
    CHECK_INT(model_resolve(&f.arena, f.dir, STR(""), &path), ERR_USAGE);
    CHECK_INT(model_resolve(&f.arena, f.dir, STR("m\0x"), &path), ERR_USAGE);
    folder_close(&f);
}

/* ---- identity ---- */

static void the_hash_is_kept_beside_and_forgotten_with_the_content(void **state) {
    (void)state;
    Folder f = folder_open();
    Sha256 id, want = sha256_of(STR("one"));
    const char *path = at(&f, "m.gguf"), *side = at(&f, "m.gguf.sha256");
    put(&f, "m.gguf", STR("one"));
    CHECK_OK(model_file_id(path, &id));
    CHECK(memcmp(&id, &want, sizeof id) == 0);
    CHECK_INT(type_of(side), FILE_REGULAR);

    /* What the side file says counts while size and time agree … */
    Str kept = {"", 0};
    CHECK_OK(file_read(&f.arena, side, 4096, &kept));
    Str zeros = arena_printf(&f.arena, "%064d%.*s", 0, STR_FMT(str_from(kept, 64)));
    put(&f, "m.gguf.sha256", zeros);
    CHECK_OK(model_file_id(path, &id));
    CHECK_INT(id.bytes[0], 0);

    /* … and not after. */
    put(&f, "m.gguf", STR("two!"));
    want = sha256_of(STR("two!"));
    CHECK_OK(model_file_id(path, &id));
    CHECK(memcmp(&id, &want, sizeof id) == 0);

    const char *const bad[] = {"", "x", "00 1 2", "zz zz zz\n"};
    for (size_t i = 0; i < 4; i++) {
        put(&f, "m.gguf.sha256", str_of(bad[i]));
        CHECK_OK(model_file_id(path, &id));
        CHECK(memcmp(&id, &want, sizeof id) == 0);
    }
    CHECK_ERR(model_file_id(at(&f, "none.gguf"), &id), ERR_NO_MODEL, "there is no model");
    CHECK_ERR(model_file_id(f.dir, &id), ERR_NO_MODEL, "is not a file");
    folder_close(&f);
}

static void a_hash_that_cannot_be_kept_is_still_told(void **state) {
    (void)state;
    Folder f = folder_open();
    Sha256 id, want = sha256_of(STR("one"));
    put(&f, "m.gguf", STR("one"));
    CHECK_OK(file_make_dirs(at(&f, "m.gguf.sha256/x"), 0700)); /* in the side file's place: root may write anywhere */
    CHECK_OK(model_file_id(at(&f, "m.gguf"), &id));
    CHECK(memcmp(&id, &want, sizeof id) == 0);
    folder_close(&f);
}

/* ---- soundness ---- */

static void a_sound_model_has_no_findings(void **state) {
    (void)state;
    Folder f = folder_open();
    Buf report = {0};
    put(&f, "m.gguf", tiny_bytes(&f));
    CHECK_OK(model_verify(at(&f, "m.gguf"), &report));
    CHECK_STR(buf_str(&report), "");
    CHECK_ERR(model_verify(at(&f, "none.gguf"), &report), ERR_NO_MODEL, "none.gguf");
    buf_free(&report);
    folder_close(&f);
}

/* The tiny model with bytes of a tensor overwritten. */
static void put_damaged(Folder *f, const char *tensor, size_t offset, const void *bytes, size_t n) {
    Gguf *g = NULL;
    Str whole = tiny_bytes(f);
    CHECK_OK(gguf_open_bytes(&g, whole, "tiny"));
    const GgufTensor *t = gguf_tensor(g, tensor);
    if (!t) fail_msg("no tensor '%s'", tensor);
    memcpy((char *)t->data.p + offset, bytes, n); /* the arena's copy */
    put(f, "m.gguf", whole);
    gguf_close(g);
}

static void numbers_that_are_not_finite_are_found(void **state) {
    (void)state;
    Folder f = folder_open();
    Buf report = {0};
    const float bad[2] = {NAN, INFINITY};
    put_damaged(&f, "token_embd_norm.weight", 4, bad, sizeof bad);
    CHECK_ERR(model_verify(at(&f, "m.gguf"), &report), ERR_CORRUPT, "fault");
    if (!strstr(report.p,
                "m.gguf: tensor 'token_embd_norm.weight' has 2 numbers that are not finite, the first at 1\n"))
        fail_msg("%s", report.p);
    buf_free(&report);
    folder_close(&f);
}

static void a_content_other_than_its_checksum_is_found(void **state) {
    (void)state;
    Folder f = folder_open();
    Buf report = {0};
    Sha256 id;
    put(&f, "m.gguf", tiny_bytes(&f));
    CHECK_OK(model_file_id(at(&f, "m.gguf"), &id));
    const float other = 0.125F;
    put_damaged(&f, "token_embd_norm.weight", 0, &other, sizeof other);
    CHECK_ERR(model_verify(at(&f, "m.gguf"), &report), ERR_CORRUPT, "has 1 fault");
    CHECK(strstr(report.p, "m.gguf: the file's SHA-256 is "));
    buf_free(&report);
    folder_close(&f);
}

static void a_file_that_is_no_gguf_is_told_as_such(void **state) {
    (void)state;
    Folder f = folder_open();
    Buf report = {0};
    put(&f, "m.gguf", str_upto(tiny_bytes(&f), 100));
    CHECK_INT(model_verify(at(&f, "m.gguf"), &report), ERR_CORRUPT);
    CHECK(strstr(err_text(), "m.gguf"));
    buf_free(&report);
    folder_close(&f);
}

/* A vocabulary alone: its faults, and the network that is not there. */
static void a_vocabulary_at_odds_with_itself_is_found(void **state) {
    (void)state;
    Folder f = folder_open();
    Buf report = {0};
    GgufWriter *w = NULL;
    const Str tokens[] = {STR("[UNK]"),
                          STR("\xE2\x96\x81"
                              "a"),
                          STR("\xE2\x96\x81"
                              "a"),
                          STR("\xE2\x96\x81\xFF")};
    const float rows[3] = {0};
    const uint64_t shape[2] = {1, 3};
    CHECK_OK(gguf_writer_open(&w));
    gguf_set_str(w, "general.architecture", STR("bert"));
    gguf_set_str(w, "tokenizer.ggml.model", STR("bert"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", tokens, 4);
    gguf_add_tensor(w, "token_embd.weight", BLOCK_F32, shape, 2, str_make((const char *)rows, sizeof rows));
    CHECK_OK(gguf_writer_write(w, at(&f, "m.gguf")));
    gguf_writer_close(w);
    CHECK_ERR(model_verify(at(&f, "m.gguf"), &report), ERR_CORRUPT, "has 4 faults");
    CHECK(strstr(report.p, "the vocabulary has 4 tokens, 'token_embd.weight' 3 rows\n"));
    CHECK(strstr(report.p, "tokens 1 and 2 are both 'a'\n"));
    CHECK(strstr(report.p, "token 3 is not UTF-8\n"));
    CHECK(strstr(report.p, "bert.")); /* what the network misses */
    buf_free(&report);
    folder_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_sorted_and_keeps_what_is_broken),
        cmocka_unit_test(a_name_or_a_path_is_found),
        cmocka_unit_test(the_hash_is_kept_beside_and_forgotten_with_the_content),
        cmocka_unit_test(a_hash_that_cannot_be_kept_is_still_told),
        cmocka_unit_test(a_sound_model_has_no_findings),
        cmocka_unit_test(numbers_that_are_not_finite_are_found),
        cmocka_unit_test(a_content_other_than_its_checksum_is_found),
        cmocka_unit_test(a_file_that_is_no_gguf_is_told_as_such),
        cmocka_unit_test(a_vocabulary_at_odds_with_itself_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

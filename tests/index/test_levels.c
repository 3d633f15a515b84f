/* Files that one level of kernels wrote, searched at every other: an index is carried between machines, and a wrong
 * answer on the other CPU would be found by nobody. A level is chosen once in a process's life, so each search is a
 * child. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "check.h"
#include "index/vec.h"
#include "kern/kern.h"

enum { DIM = 40, ROWS = 1500, QUERIES = 25, K = 10 };

typedef struct {
    const char *name;
    VecParams params;
    bool same_bits; /* scores of whole numbers; else floats are added in the level's own order */
    bool same_file; /* building is of whole numbers too */
} KindCase;

static const KindCase kinds[] = {
    {"flat", {0}, true, false},
    {"flat", {.partitions = 24}, true, false},
    {"flat", {.partitions = 24, .keep_f32 = true}, false, false},
    {"ivfpq", {.sub_vectors = 12, .iterations = 2}, true, false},
    {"hnsw", {.graph_degree = 8, .ef_construction = 60}, true, true},
    {"exact", {0}, false, true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static float data[ROWS * DIM];

static int data_make(void **st) {
    (void)st;
    uint32_t state = 2463534242u;
    for (size_t i = 0; i < ROWS; i++) {
        double squares = 0;
        float *row = data + i * DIM;
        for (size_t d = 0; d < DIM; d++) {
            state = state * 1664525u + 1013904223u;
            row[d] = (float)(state >> 8) / 8388608.0f - 1 + (d % 20 == i % 20 ? 2.0f : 0); /* twenty clouds */
            squares += (double)row[d] * (double)row[d];
        }
        for (size_t d = 0; d < DIM; d++) row[d] /= (float)sqrt(squares);
    }
    return 0;
}

/* ---- in a child: a failure ends it, and the parent's check says so ---- */

static void must(Err err) {
    if (!err) return;
    (void)fprintf(stderr, "%s\n", err_text());
    _exit(1);
}

static VecIndex *opened(const KindCase *kind, const char *dir, uint32_t committed) {
    VecIndex *ix;
    VecSpec spec = {.kind = kind->name, .dir = dir, .dim = DIM, .generation = 1, .committed = committed};
    spec.writer = committed == 0;
    spec.params = kind->params;
    must(vec_open(&ix, &spec));
    return ix;
}

static void build(const KindCase *kind, const char *dir) {
    uint32_t first, count;
    VecIndex *ix = opened(kind, dir, 0);
    must(vec_add(ix, data, ROWS, &first));
    must(vec_sync(ix, &count));
    must(vec_build(ix, NULL, NULL));
    vec_close(ix);
}

static VecHit (*hits)[K]; /* [2 QUERIES] shared with the children; the odd ones with a filter */

static void search(const KindCase *kind, const char *dir) {
    uint64_t odd[(ROWS + 63) / 64];
    VecIndex *ix = opened(kind, dir, ROWS);
    memset(odd, 0xAA, sizeof odd);
    for (size_t i = 0; i < 2 * QUERIES; i++) {
        size_t n;
        VecQuery q = {.k = K, .allowed = i % 2 ? odd : NULL};
        must(vec_search(ix, data + i / 2 * 57 * DIM, &q, hits[i], &n));
        if (n != K) _exit(2);
    }
    vec_close(ix);
}

typedef void (*Work)(const KindCase *kind, const char *dir);

static void in_child(const char *level, Work work, const KindCase *kind, const char *dir) {
    int status = -1;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)setenv("PYTHIA_CPU", level, 1);
        work(kind, dir);
        _exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    if (status != 0) fail_msg("%s at level %s: the child ended with %d", kind->name, level, status);
}

/* ---- tests ---- */

static Str built_file(Arena *a, const char *dir) {
    char path[600];
    Str out = STR("");
    FileInfo info;
    (void)snprintf(path, sizeof path, "%s/vec-1.built", dir);
    CHECK_OK(file_info(path, true, &info));
    if (info.type != FILE_NONE) CHECK_OK(file_read(a, path, (size_t)1 << 30, &out));
    return out;
}

static void check_same(const KindCase *kind, VecHit (*want)[K], const char *wrote, const char *read) {
    for (size_t i = 0; i < 2 * QUERIES; i++)
        for (size_t h = 0; h < K; h++) {
            double off = fabs((double)hits[i][h].score - (double)want[i][h].score);
            if (kind->same_bits ? off > 0 || hits[i][h].slot != want[i][h].slot : off > 1e-5)
                fail_msg("%s written at %s, read at %s: hit %zu of query %zu is row %u at %.9g, not %u at %.9g",
                         kind->name, wrote, read, h, i, hits[i][h].slot, (double)hits[i][h].score, want[i][h].slot,
                         (double)want[i][h].score);
        }
}

static void a_file_gives_the_same_hits_whichever_level_wrote_it_and_whichever_reads_it(void **st) {
    (void)st;
    const Kern *levels[16];
    size_t n = kern_levels(levels, 16);
    static VecHit want[2 * QUERIES][K];
    CHECK(n >= 2); /* every machine that this is tested on has another than the scalar one */
    for (size_t k = 0; k < N_KINDS; k++) {
        Arena a = {0};
        Str first = STR("");
        for (size_t w = 0; w < n; w++) {
            const char *dir = check_temp_dir();
            in_child(levels[w]->name, build, &kinds[k], dir);
            Str file = built_file(&a, dir);
            if (w == 0) first = file;
            if (kinds[k].same_file) CHECK(str_eq(file, first));
            for (size_t r = 0; r < n; r++) {
                memset(hits, 0, sizeof want);
                in_child(levels[r]->name, search, &kinds[k], dir);
                if (r == 0) memcpy(want, hits, sizeof want);
                check_same(&kinds[k], want, levels[w]->name, levels[r]->name);
            }
            CHECK_OK(file_remove_tree(dir));
        }
        arena_free(&a);
    }
}

int main(void) {
    hits = mmap(NULL, 2 * QUERIES * sizeof *hits, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (hits == MAP_FAILED) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gives_the_same_hits_whichever_level_wrote_it_and_whichever_reads_it),
    };
    return cmocka_run_group_tests(tests, data_make, NULL);
}

/* The walk against git itself: random trees with random ignore files, compared with what `git ls-files` shows.
 * PYTHIA_CASES=5000 PYTHIA_SEED=1000 runs more of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/map.h"
#include "check.h"
#include "ingest/walk.h"

typedef struct {
    uint64_t state;
} Dice; /* splitmix64 */

static uint64_t dice(Dice *d) {
    uint64_t z = (d->state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static size_t roll(Dice *d, size_t n) { return (size_t)(dice(d) % n); }
#define PICK(d, list) (list)[roll((d), sizeof(list) / sizeof *(list))]

static const char *const names[] = {"a",   "b",     "ab",       "abc",  "foo", "bar",   "foo.c", "bar.o", "x.tar.gz",
                                    "a b", "tail ", "#hash",    "!not", "[x]", "a[b]",  "e\\f",  ".hid",  "star*",
                                    "q?",  "-",     "\xc3\xbc", "A",    "z9",  "build", "a-b",   "_"};

static void pattern_part(Dice *d, Buf *out) {
    static const char *const parts[] = {
        "*",     "?",      "**",          "[a-c]",  "[!a]",  "[^b-z]",      "*.c",         "*.o",    "fo*",
        "*o",    "a*",     "***",         "[",      "[]x]",  "[[:alpha:]]", "[[:bogus:]]", "[a",     "\\*",
        "\\[x]", "\\!not", "\\#hash",     "e\\\\f", "e\\f",  "[\\]x]",      "x.*.gz",      "a\\ b",  "tail\\ ",
        "tail ", "**o",    "f**",         "[a-",    "[z-a]", "?*",          "*?",          "*[!.]c", "[[:space:]]*",
        "[-a]",  "[a-]",   "[[:upper:]]", "b*d",    "\\",    "[[:a",        "[!]a]",       "[/]",    "a[/]b"};
    if (roll(d, 2))
        buf_add_z(out, PICK(d, names));
    else
        buf_add_z(out, PICK(d, parts));
}

/* A path that is there, blurred: some bytes become wildcards, some slashes "**", its head or tail may go. */
static void pattern_blurred(Dice *d, Str path, Buf *out) {
    size_t from = 0, to = path.n;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '/' && roll(d, 4) == 0) from = i + (size_t)roll(d, 2);
        if (path.p[i] == '/' && i > from && roll(d, 5) == 0) to = i;
    }
    if (from && roll(d, 3) == 0) buf_add_z(out, roll(d, 2) ? "**" : "**/");
    for (size_t i = from; i < to; i++) {
        const char c = path.p[i];
        const size_t r = roll(d, 40);
        if (c == '/' && r < 16)
            buf_add_z(out, r < 6 ? "/**/" : r < 9 ? "/*/" : r < 11 ? "**/" : r < 13 ? "[/]" : r < 14 ? "\\/" : "*");
        else if (r == 0)
            buf_char(out, '?');
        else if (r <= 3)
            buf_add_z(out, r < 3 ? "*" : "**"), i += roll(d, 3);
        else if (r == 4)
            buf_printf(out, "[%c-%c]", c, c < 'y' ? c + 1 : c);
        else if (r == 5)
            buf_add_z(out, "[!q]");
        else if (r == 6)
            buf_printf(out, "\\%c", c);
        else
            buf_char(out, c);
    }
}

static void pattern_made_up(Dice *d, Buf *out) {
    const size_t n = 1 + roll(d, 10) / 5 + roll(d, 10) / 9;
    if (roll(d, 5) == 0) buf_add_z(out, "**/");
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_z(out, roll(d, 4) ? "/" : roll(d, 2) ? "/**/" : roll(d, 2) ? "**/" : "\\/");
        pattern_part(d, out);
        if (roll(d, 8) == 0) pattern_part(d, out);
    }
    if (roll(d, 8) == 0) buf_add_z(out, "/**");
}

/* All files of the case, absolute. */
static const char *files[8192];
static size_t n_files;

/* One of them below folder, relative to it; "" when a few throws find none. */
static Str some_file(Dice *d, const char *folder) {
    const size_t n = strlen(folder);
    for (int i = 0; i < 20 && n_files; i++) {
        const char *f = files[roll(d, n_files)];
        if (strncmp(f, folder, n) == 0 && f[n] == '/') return str_of(f + n + 1);
    }
    return STR("");
}

static void pattern_line(Dice *d, const char *folder, Buf *out) {
    static const char *const ends[] = {"\n", "\n", "\n", "\n", "\r\n", "  \n", "\t\n", "\\ \n", " \r\n", "\r\r\n"};
    if (roll(d, 12) == 0) buf_add_z(out, roll(d, 2) ? "# note" : "   ");
    if (roll(d, 4) == 0) buf_char(out, '!');
    if (roll(d, 4) == 0) buf_char(out, '/');
    const Str file = roll(d, 3) ? some_file(d, folder) : STR("");
    if (file.n)
        pattern_blurred(d, file, out);
    else
        pattern_made_up(d, out);
    if (roll(d, 5) == 0) buf_char(out, '/');
    if (roll(d, 30) == 0) buf_add_bytes(out, "\0x", 2);
    buf_add_z(out, PICK(d, ends));
}

static void write_file(const char *path, Str content) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, content.p, content.n), content.n);
    CHECK_INT(close(fd), 0);
}

static void write_rules(Dice *d, const char *path, const char *folder) {
    Buf text = {0};
    if (roll(d, 10) == 0) buf_add_z(&text, "\xEF\xBB\xBF");
    for (size_t i = 0, n = 2 + roll(d, 10); i < n; i++) pattern_line(d, folder, &text);
    if (roll(d, 4) == 0 && text.n) text.n--; /* no newline at the end */
    write_file(path, buf_str(&text));
    buf_free(&text);
}

/* Fills folder with files and folders; paths gets each folder's path. */
static void grow(Dice *d, const char *folder, int depth, Arena *a, const char **folders, size_t *n_folders) {
    folders[(*n_folders)++] = folder;
    for (size_t i = 0, n = 1 + roll(d, 7); i < n; i++) {
        const char *path = path_join(a, folder, PICK(d, names));
        if (depth < 4 && *n_folders < 60 && roll(d, 5) < 2) {
            if (mkdir(path, 0755) == 0) grow(d, path, depth + 1, a, folders, n_folders);
        } else if (access(path, F_OK) != 0) {
            write_file(path, STR("text\n"));
            if (n_files < sizeof files / sizeof *files) files[n_files++] = path;
        }
    }
    /* Rules last, so that they can be of what is there. */
    if (roll(d, depth == 0 ? 8 : 3) < (depth == 0 ? 7 : 1)) write_rules(d, path_join(a, folder, ".gitignore"), folder);
}

typedef struct {
    Buf list; /* of included paths, each with a NUL */
    Buf last;
    size_t told, taken;
} Seen;

static size_t files_taken, files_left;

static Err see(void *ctx, const WalkEntry *e) {
    Seen *s = ctx;
    CHECK(!s->last.n || str_cmp(buf_str(&s->last), e->path) < 0); /* bytewise order, nothing twice */
    buf_clear(&s->last);
    buf_add(&s->last, e->path);
    s->told++;
    if (e->reason.n) return ERR_OK;
    CHECK_INT(e->info.type, FILE_REGULAR);
    s->taken++;
    buf_add(&s->list, e->path);
    buf_char(&s->list, 0);
    return ERR_OK;
}

static int path_cmp(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* What git shows below folder, sorted, each path with a NUL. */
static void git_list(const char *folder, const char *global, Buf *out) {
    char command[2048], chunk[65536];
    (void)snprintf(command, sizeof command,
                   "cd '%s' && git -c core.excludesFile='%s' ls-files -co --exclude-standard -z 2>/dev/null", folder,
                   global);
    Buf raw = {0};
    FILE *f = popen(command, "r");
    CHECK(f != NULL);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) buf_add_bytes(&raw, chunk, n);
    CHECK_INT(pclose(f), 0);
    size_t n = 0, at = 0;
    for (size_t i = 0; i < raw.n; i++) n += raw.p[i] == 0;
    const char **paths = calloc(n + 1, sizeof *paths);
    CHECK(paths != NULL);
    for (size_t i = 0; i < n; i++) paths[i] = raw.p + at, at += strlen(raw.p + at) + 1;
    qsort(paths, n, sizeof *paths, path_cmp);
    for (size_t i = 0; i < n; i++) buf_add_bytes(out, paths[i], strlen(paths[i]) + 1);
    free(paths);
    buf_free(&raw);
}

static void show_difference(const char *folder, const Buf *git, const Buf *ours) {
    Map map = {0};
    for (size_t at = 0; at < git->n; at += strlen(git->p + at) + 1) CHECK_OK(map_put(&map, str_of(git->p + at), 1));
    for (size_t at = 0; at < ours->n; at += strlen(ours->p + at) + 1)
        if (!map_get(&map, str_of(ours->p + at)))
            print_message("only ours: '%s'\n", ours->p + at);
        else
            CHECK_OK(map_put(&map, str_of(ours->p + at), 0));
    for (size_t i = 0; i < map.count; i++)
        if (map.entries[i].value) print_message("only git's: '%s'\n", map.entries[i].key.p);
    map_free(&map);
    char command[1024];
    (void)snprintf(command, sizeof command,
                   "cd '%s' && find . -name .gitignore | while read f; do echo \"-- $f\"; cat -A $f; done", folder);
    if (system(command)) print_message("cannot show the rules\n");
}

/* Compares one folder; false when they differ. */
static bool same_as_git(const char *folder, const char *global, Seen *ours) {
    const WalkOpts opts = {.hidden = true, .global_ignore = global[0] ? global : NULL};
    Buf git = {0};
    *ours = (Seen){0};
    git_list(folder, global, &git);
    CHECK_OK(walk(folder, &opts, see, ours));
    const bool same = str_eq(buf_str(&git), buf_str(&ours->list));
    if (!same) show_difference(folder, &git, &ours->list);
    buf_free(&git);
    return same;
}

static void seen_free(Seen *s) {
    buf_free(&s->list);
    buf_free(&s->last);
}

/* walk_explain says the same as the walk did. */
static void explain_agrees(Arena *a, const char *root, const char *global, const Seen *seen, const char *folder) {
    const WalkOpts opts = {.hidden = true, .global_ignore = global[0] ? global : NULL};
    Map map = {0};
    for (size_t at = 0; at < seen->list.n; at += strlen(seen->list.p + at) + 1)
        CHECK_OK(map_put(&map, str_of(seen->list.p + at), 1));
    DIR *dir = opendir(folder);
    CHECK(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_type != DT_REG) continue;
        const char *path = path_join(a, folder, e->d_name) + strlen(root) + 1;
        WalkEntry entry;
        CHECK_OK(walk_explain(a, root, str_of(path), &opts, &entry));
        if ((entry.reason.n == 0) != (map_get(&map, str_of(path)) != NULL))
            fail_msg("explain of '%s' says '%.*s', the walk did not", path, STR_FMT(entry.reason));
    }
    (void)closedir(dir);
    map_free(&map);
}

static void clear_tree(const char *root) {
    Arena a = {0};
    DIR *dir = opendir(root);
    CHECK(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, ".git"))
            CHECK_OK(file_remove_tree(path_join(&a, root, e->d_name)));
    (void)closedir(dir);
    arena_free(&a);
}

/* From a folder within: the ignore files above bind it too. An ignored folder is walked because it was named. */
static bool inner_same(Arena *a, const char *root, const char *inner, const char *global) {
    const WalkOpts opts = {.hidden = true, .global_ignore = global[0] ? global : NULL};
    WalkEntry entry = {.reason = STR("the root")};
    Seen seen = {0};
    if (inner != root) CHECK_OK(walk_explain(a, root, str_of(inner + strlen(root) + 1), &opts, &entry));
    const bool same = entry.reason.n || same_as_git(inner, global, &seen);
    seen_free(&seen);
    return same;
}

/* Many trees side by side, since starting git costs more than all the rest; or one with the repository's own rules. */
static void one_case(const char *root, uint64_t seed, bool shared) {
    enum { TREES = 8, FOLDERS = TREES * 61 };
    Arena a = {0};
    Dice d = {seed};
    const char *folders[FOLDERS];
    size_t n_folders = 0;
    char global[600] = "";
    n_files = 0;
    clear_tree(root);
    const char *exclude = path_join(&a, root, ".git/info/exclude");
    CHECK_OK(file_remove(exclude));
    if (shared) {
        (void)snprintf(global, sizeof global, "%s/.git/global", root);
        grow(&d, root, 0, &a, folders, &n_folders);
        write_rules(&d, roll(&d, 3) ? global : exclude, root);
        write_rules(&d, roll(&d, 3) ? exclude : global, root);
        if (access(global, F_OK) != 0) global[0] = 0;
    }
    for (int i = 0; i < TREES && !shared; i++) {
        size_t n = 0;
        const char *tree = arena_printf(&a, "%s/t%02d", root, i).p;
        CHECK_INT(mkdir(tree, 0755), 0);
        grow(&d, tree, 0, &a, folders + n_folders, &n);
        n_folders += n;
    }
    Seen seen = {0};
    if (!same_as_git(root, global, &seen)) fail_msg("seed %llu: not what git shows", (unsigned long long)seed);
    for (int i = 0; i < 5; i++) explain_agrees(&a, root, global, &seen, folders[roll(&d, n_folders)]);
    const char *inner = folders[roll(&d, n_folders)];
    if (!inner_same(&a, root, inner, global))
        fail_msg("seed %llu: not what git shows in '%s'", (unsigned long long)seed, inner);
    if (global[0]) CHECK_OK(file_remove(global));
    files_left += seen.told - seen.taken, files_taken += seen.taken;
    seen_free(&seen);
    arena_free(&a);
}

static long from_env(const char *name, long fallback) {
    const char *value = getenv(name);
    return value ? strtol(value, NULL, 10) : fallback;
}

static void walk_includes_exactly_what_git_shows(void **state) {
    (void)state;
    char root[600], command[1024];
    /* A disk makes and removes 10,000 files in half a minute, memory in half a second. */
    if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
    (void)snprintf(root, sizeof root, "%s", check_temp_dir());
    (void)setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    (void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    (void)snprintf(command, sizeof command, "git init -q '%s' && mkdir -p '%s/.git/info'", root, root);
    if (system(command) != 0) fail_msg("the test compares with git; run: tools/setup.sh packages");
    const long cases = from_env("PYTHIA_CASES", 120), first = from_env("PYTHIA_SEED", 1);
    for (long i = 0; i < cases; i++) one_case(root, (uint64_t)(first + i), i % 2 == 1);
    print_message("%zu files taken, %zu files and folders left out\n", files_taken, files_left);
    CHECK(files_taken > 0 && files_left > 0);
    CHECK_OK(file_remove_tree(root));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(walk_includes_exactly_what_git_shows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

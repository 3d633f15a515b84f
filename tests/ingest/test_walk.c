/* The walk: order, reasons, links, special files, depth, permissions, and what speaks before what. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "ingest/walk.h"
#include "tree.h"

static char root[600];

static int new_root(void **state) {
    (void)state;
    (void)snprintf(root, sizeof root, "%s", check_temp_dir());
    return 0;
}

static int drop_root(void **state) {
    (void)state;
    return file_remove_tree(root) ? -1 : 0;
}

/* "path|reason\n" for each entry. */
static Err note(void *ctx, const WalkEntry *e) {
    buf_add(ctx, e->path);
    buf_char(ctx, '|');
    buf_add(ctx, e->reason);
    buf_char(ctx, '\n');
    return ERR_OK;
}

static void check_walk_at(const char *folder, const WalkOpts *opts, const char *want) {
    Buf got = {0};
    CHECK_OK(walk(folder, opts, note, &got));
    CHECK_STR(buf_str(&got), want);
    buf_free(&got);
}

static void check_walk(const WalkOpts *opts, const char *want) { check_walk_at(root, opts, want); }

static void paths_come_in_bytewise_order(void **state) {
    (void)state;
    static const char *const paths[] = {"a/b", "a.c", "a-b", "a0", "B", "a/a/z", "a/a.z", "\xff", "b\nc", "ab/x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) tree_file(root, paths[i], "x");
    check_walk(NULL, "B|\na-b|\na.c|\na/a.z|\na/a/z|\na/b|\na0|\nab/x|\nb\nc|\n\xff|\n");
}

static void the_reason_names_file_line_and_pattern(void **state) {
    (void)state;
    tree_file(root, ".gitignore", "# objects\n*.o\nout/\n");
    tree_file(root, "x.o", "x");
    tree_file(root, "out/y.c", "x");
    tree_file(root, "src/.gitignore", "!x.o\n/gen.*\n");
    tree_file(root, "src/x.o", "x");
    tree_file(root, "src/gen.c", "x");
    check_walk(NULL, ".gitignore|hidden\nout/|ignored by .gitignore:3: out/\nsrc/.gitignore|hidden\n"
                     "src/gen.c|ignored by src/.gitignore:2: /gen.*\nsrc/x.o|\nx.o|ignored by .gitignore:2: *.o\n");
}

static void pythiaignore_is_stronger_than_gitignore_of_the_same_folder(void **state) {
    (void)state;
    tree_file(root, ".gitignore", "*.log\n!b.txt\n");
    tree_file(root, ".pythiaignore", "!a.log\nb.txt\n!.github/\n");
    tree_file(root, "a.log", "x");
    tree_file(root, "b.log", "x");
    tree_file(root, "b.txt", "x");
    tree_file(root, ".github/ci.yml", "x");
    tree_file(root, ".hidden/x", "x");
    check_walk(NULL, ".github/ci.yml|\n.gitignore|hidden\n.hidden/|hidden\n.pythiaignore|hidden\na.log|\n"
                     "b.log|ignored by .gitignore:1: *.log\nb.txt|ignored by .pythiaignore:2: b.txt\n");
}

static void hidden_files_and_ignore_files_by_option(void **state) {
    (void)state;
    tree_file(root, ".gitignore", "x\n");
    tree_file(root, "x", "x");
    tree_file(root, ".git/config", "x");
    tree_file(root, "sub/.git", "gitdir: elsewhere\n");
    tree_file(root, "sub/.svn/y", "x");
    check_walk(
        &(WalkOpts){.hidden = true, .no_ignore = true},
        ".git/|version control data\n.gitignore|\nsub/.git|version control data\nsub/.svn/|version control data\nx|\n");
}

static void globs_include_and_exclude(void **state) {
    (void)state;
    tree_file(root, "src/a.c", "x");
    tree_file(root, "src/a.h", "x");
    tree_file(root, "vendor/b.c", "x");
    tree_file(root, "old/c.c", "x");
    const Str include[] = {STR("*.c")}, exclude[] = {STR("vendor/"), STR("old")};
    check_walk(
        &(WalkOpts){.include = include, .n_include = 1, .exclude = exclude, .n_exclude = 2},
        "old/|excluded by 'old'\nsrc/a.c|\nsrc/a.h|not among the included globs\nvendor/|excluded by 'vendor/'\n");
}

static void links_are_followed_to_files_of_the_root_only(void **state) {
    (void)state;
    char inner[700];
    (void)snprintf(inner, sizeof inner, "%s/in", root);
    tree_file(root, "outside.txt", "x");
    tree_file(root, "in/a.txt", "12345");
    tree_file(root, "in/d/b.txt", "x");
    tree_file(root, "in/.git/config", "secret");
    tree_link(root, "in/to-file", "a.txt");
    tree_link(root, "in/to-folder", "d");
    tree_link(root, "in/up", "..");
    tree_link(root, "in/out", "../outside.txt");
    tree_link(root, "in/broken", "nothing");
    tree_link(root, "in/self", "self");
    tree_link(root, "in/vcs", ".git/config");
    tree_link(root, "in/null", "/dev/null");
    check_walk_at(inner, NULL,
                  ".git/|version control data\na.txt|\nbroken|broken link\nd/b.txt|\nnull|link to a special file\n"
                  "out|link out of the root\nself|link in a circle\nto-file|\nto-folder|link to a folder\n"
                  "up|link to a folder\nvcs|link to version control data\n");
    Arena a = {0};
    WalkEntry e;
    CHECK_OK(walk_explain(&a, inner, STR("to-file"), NULL, &e));
    CHECK_INT(e.info.size, 5); /* the target's */
    CHECK_INT(e.info.type, FILE_REGULAR);
    arena_free(&a);
}

static void special_files_are_never_opened(void **state) {
    (void)state;
    char path[700];
    (void)snprintf(path, sizeof path, "%s/pipe", root);
    CHECK_INT(mkfifo(path, 0644), 0);
    (void)snprintf(path, sizeof path, "%s/.gitignore", root);
    CHECK_INT(mkfifo(path, 0644), 0); /* reading this one would hang */
    check_walk(NULL, ".gitignore|hidden\npipe|fifo\n");
}

static Err count_deep(void *ctx, const WalkEntry *e) {
    size_t *n = ctx;
    CHECK_STR(e->reason, "");
    ++*n;
    return ERR_OK;
}

/* 4,000 folders within each other: no path fits PATH_MAX, no process may have that many files open. Each has a file on
 * either side of its folder, so that every one must be returned to. */
static void trees_deeper_than_paths_and_descriptors(void **state) {
    (void)state;
    enum { DEPTH = 4000 };
    const int start = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(chdir(root), 0);
    for (int i = 0; i < DEPTH; i++) {
        CHECK_INT(close(open("a", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
        CHECK_INT(close(open("z", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
        CHECK_INT(mkdir("dd", 0755), 0);
        CHECK_INT(chdir("dd"), 0);
    }
    CHECK_INT(fchdir(start), 0);
    struct rlimit old, few;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old, few.rlim_cur = 128;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
    size_t n = 0;
    CHECK_OK(walk(root, &(WalkOpts){0}, count_deep, &n));
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_INT(n, 2 * DEPTH);
    /* Taken down from the bottom, by hand: what removes a tree elsewhere is not the question here. */
    CHECK_INT(chdir(root), 0);
    for (int i = 0; i < DEPTH; i++) CHECK_INT(chdir("dd"), 0);
    for (int i = 0; i < DEPTH; i++) {
        CHECK_INT(chdir(".."), 0);
        CHECK_INT(rmdir("dd"), 0);
        CHECK_INT(unlink("a"), 0);
        CHECK_INT(unlink("z"), 0);
    }
    CHECK_INT(fchdir(start), 0);
    CHECK_INT(close(start), 0);
}

/* In a child that is nobody: root may read everything. */
static void unreadable_folders_and_rules_are_entries_with_the_reason(void **state) {
    (void)state;
    char path[700];
    tree_file(root, "locked/x", "x");
    tree_file(root, "rules/.gitignore", "secret\n");
    tree_file(root, "rules/secret", "x");
    tree_file(root, "z", "x");
    (void)snprintf(path, sizeof path, "%s/locked", root);
    CHECK_INT(chmod(path, 0), 0);
    (void)snprintf(path, sizeof path, "%s/rules/.gitignore", root);
    CHECK_INT(chmod(path, 0), 0);
    CHECK_INT(chmod(root, 0755), 0);
    const pid_t child = fork();
    if (child == 0) {
        Buf got = {0};
        if (geteuid() == 0 && setuid(65534) != 0) _exit(3);
        const Err err = walk(root, NULL, note, &got);
        const bool same = str_is(buf_str(&got), "locked/|unreadable: Permission denied\n"
                                                "rules/|cannot read '.gitignore': Permission denied\nz|\n");
        if (!same) print_message("%s%s", got.p ? got.p : "", err_text());
        _exit(err == ERR_OK && same ? 0 : 1);
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    (void)snprintf(path, sizeof path, "%s/locked", root);
    CHECK_INT(chmod(path, 0755), 0);
    CHECK_INT(status, 0);
}

static void a_root_that_cannot_be_walked_is_an_error(void **state) {
    (void)state;
    char path[700];
    Buf got = {0};
    tree_file(root, "file", "x");
    (void)snprintf(path, sizeof path, "%s/file", root);
    CHECK_ERR(walk(path, NULL, note, &got), ERR_IO, "Not a directory");
    (void)snprintf(path, sizeof path, "%s/none", root);
    CHECK_ERR(walk(path, NULL, note, &got), ERR_IO, "/none': No such file or directory");
    buf_free(&got);
}

static Err refuse(void *ctx, const WalkEntry *e) {
    (void)ctx;
    return err_set(ERR_BUSY, "no more after '%.*s'", STR_FMT(e->path));
}

static void a_sinks_error_and_a_deadline_end_the_walk(void **state) {
    (void)state;
    const int cancel = 1;
    char name[32];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "f%02d", i);
        tree_file(root, name, "x");
    }
    CHECK_ERR(walk(root, NULL, refuse, NULL), ERR_BUSY, "no more after 'f00'");
    Buf got = {0};
    CHECK_INT(walk(root, &(WalkOpts){.deadline = &(Deadline){.cancel = &cancel}}, note, &got), ERR_INTERRUPT);
    buf_free(&got);
}

static void rules_above_the_root_bind_it_inside_a_work_tree_only(void **state) {
    (void)state;
    char inner[700];
    (void)snprintf(inner, sizeof inner, "%s/top/a/b", root);
    tree_file(root, ".gitignore", "*.x\n"); /* above the work tree: nobody's */
    tree_file(root, "top/.gitignore", "/a/b/c.*\n*.y\n");
    tree_file(root, "top/a/.gitignore", "!keep.y\n");
    tree_file(root, "top/a/b/c.c", "x");
    tree_file(root, "top/a/b/d.x", "x");
    tree_file(root, "top/a/b/d.y", "x");
    tree_file(root, "top/a/b/keep.y", "x");
    check_walk_at(inner, NULL, "c.c|\nd.x|\nd.y|\nkeep.y|\n"); /* no .git: no work tree */
    tree_file(root, "top/.git/HEAD", "ref: refs/heads/main\n");
    tree_file(root, "top/.git/info/exclude", "d.x\n");
    check_walk_at(inner, NULL,
                  "c.c|ignored by ../../.gitignore:1: /a/b/c.*\nd.x|ignored by .git/info/exclude:1: d.x\n"
                  "d.y|ignored by ../../.gitignore:2: *.y\nkeep.y|\n");
    check_walk_at(inner, &(WalkOpts){.no_ignore = true}, "c.c|\nd.x|\nd.y|\nkeep.y|\n");
}

/* As `git worktree add` leaves it: a ".git" file, and in its folder the way to the common one. */
static void a_linked_work_tree_has_the_exclude_file_of_its_repository(void **state) {
    (void)state;
    char inner[700];
    (void)snprintf(inner, sizeof inner, "%s/linked", root);
    tree_file(root, "linked/.git", "gitdir: ../main/.git/worktrees/linked\n");
    tree_file(root, "linked/x", "x");
    tree_file(root, "linked/y", "x");
    tree_file(root, "main/.git/worktrees/linked/commondir", "../..\n");
    tree_file(root, "main/.git/info/exclude", "x\n");
    check_walk_at(inner, NULL, ".git|version control data\nx|ignored by .git/info/exclude:1: x\ny|\n");
}

static void explain_names_the_folder_that_keeps_a_file_out(void **state) {
    (void)state;
    Arena a = {0};
    WalkEntry e;
    tree_file(root, ".gitignore", "build/\n");
    tree_file(root, "build/x/y.c", "x");
    tree_file(root, "src/y.c", "xyz");
    CHECK_OK(walk_explain(&a, root, STR("build/x/y.c"), NULL, &e));
    CHECK_STR(e.reason, "in build/: ignored by .gitignore:1: build/");
    CHECK_STR(e.path, "build/x/y.c");
    CHECK_OK(walk_explain(&a, root, STR("build/"), NULL, &e));
    CHECK_STR(e.reason, "ignored by .gitignore:1: build/");
    CHECK_OK(walk_explain(&a, root, STR("src/y.c"), NULL, &e));
    CHECK_STR(e.reason, "");
    CHECK_INT(e.info.size, 3);
    CHECK_ERR(walk_explain(&a, root, STR("src/none"), NULL, &e), ERR_IO, "cannot find 'src/none'");
    CHECK_ERR(walk_explain(&a, root, STR("src/y.c/z"), NULL, &e), ERR_IO, "'src/y.c' is not a folder");
    CHECK_ERR(walk_explain(&a, root, STR("../x"), NULL, &e), ERR_INPUT, "'../x' is not a path below the root");
    CHECK_ERR(walk_explain(&a, root, STR("/etc/passwd"), NULL, &e), ERR_INPUT, "is not a path below the root");
    arena_free(&a);
}

int main(void) {
#define WALK_TEST(f) cmocka_unit_test_setup_teardown(f, new_root, drop_root)
    const struct CMUnitTest tests[] = {
        WALK_TEST(paths_come_in_bytewise_order),
        WALK_TEST(the_reason_names_file_line_and_pattern),
        WALK_TEST(pythiaignore_is_stronger_than_gitignore_of_the_same_folder),
        WALK_TEST(hidden_files_and_ignore_files_by_option),
        WALK_TEST(globs_include_and_exclude),
        WALK_TEST(links_are_followed_to_files_of_the_root_only),
        WALK_TEST(special_files_are_never_opened),
        WALK_TEST(trees_deeper_than_paths_and_descriptors),
        WALK_TEST(unreadable_folders_and_rules_are_entries_with_the_reason),
        WALK_TEST(a_root_that_cannot_be_walked_is_an_error),
        WALK_TEST(a_sinks_error_and_a_deadline_end_the_walk),
        WALK_TEST(rules_above_the_root_bind_it_inside_a_work_tree_only),
        WALK_TEST(a_linked_work_tree_has_the_exclude_file_of_its_repository),
        WALK_TEST(explain_names_the_folder_that_keeps_a_file_out),
    };
    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}

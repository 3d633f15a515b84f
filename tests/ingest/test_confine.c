/* The confinement of readers, proved by readers that try what they must not be able to do: each is a format of this
 * program alone, run in a child as every other, and tells what came of it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ingest/document.h"
#include "ingest/readers.h"
#include "tree.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_IS_LIMITED = 0 }; /* their shadow memory takes terabytes */
#else
enum { MEMORY_IS_LIMITED = 1 };
#endif

static char root[600];
static Arena arena;
static Readers *kept; /* NULL: a process is started for each document */

/* ---- readers ---- */

static void tell(Flow *f, const char *what, bool done) {
    flow_text(f, str_of(what));
    flow_text(f, done ? STR(": done") : STR(": refused"));
    flow_line(f);
}

/* The document's bytes are the path of a file that must not be seen. */
static Err try_files(Flow *f, Str bytes) {
    const char *path = arena_cstr(f->arena, bytes);
    tell(f, "open the neighbour", open(path, O_RDONLY) >= 0);
    tell(f, "open /etc/passwd", open("/etc/passwd", O_RDONLY) >= 0);
    tell(f, "open its own program", open("/proc/self/exe", O_RDONLY) >= 0);
    tell(f, "make a file", open("/tmp/pythia-was-here", O_WRONLY | O_CREAT, 0600) >= 0);
    tell(f, "write to the document", write(STDIN_FILENO, "x", 1) == 1);
    tell(f, "remove the neighbour", unlink(path) == 0);
    tell(f, "list a folder", open("/", O_RDONLY | O_DIRECTORY) >= 0);
    return ERR_OK;
}

static Err try_network(Flow *f, Str bytes) {
    (void)bytes;
    tell(f, "make a TCP socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
    tell(f, "make a UDP socket", socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
    tell(f, "make a local socket", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    return ERR_OK;
}

static Err try_processes(Flow *f, Str bytes) {
    (void)bytes;
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    tell(f, "start a process", pid > 0);
    char *const words[] = {"/bin/true", NULL};
    tell(f, "become another program", execv(words[0], words) == 0);
    tell(f, "end its parent", kill(getppid(), SIGTERM) == 0);
    tell(f, "end its parent's thread", syscall(SYS_tgkill, getpid() + 1, getpid() + 1, 0) == 0 || errno != EPERM);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tell(f, "make memory that runs", p != MAP_FAILED);
    return ERR_OK;
}

/* A gigabyte and a half, where 256 MB are allowed. */
static Err try_memory(Flow *f, Str bytes) {
    (void)bytes;
    size_t got = 0;
    for (; got < 96; got++)
        if (mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) break;
    tell(f, "take 1.5 GB", got == 96);
    return ERR_OK;
}

static Err crash(Flow *f, Str bytes) {
    (void)f, (void)bytes;
    abort();
}

static volatile int forever = 1;

static Err loop(Flow *f, Str bytes) {
    (void)f, (void)bytes;
    while (forever) {}
    return ERR_OK;
}

/* Sleeping costs no CPU time: only the clock on the wall ends it. */
static Err sleep_on(Flow *f, Str bytes) {
    (void)f, (void)bytes;
    int word = 0;
    while (forever) (void)syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return ERR_OK;
}

static Err say_nothing(Flow *f, Str bytes) {
    (void)f, (void)bytes;
    _exit(0);
}

static Err say_what_is_no_answer(Flow *f, Str bytes) {
    (void)f, (void)bytes;
    if (write(STDOUT_FILENO, "PYD1\0\xff\xff\xff\xff", 9) < 0) _exit(1);
    _exit(0);
}

static Err say_too_much(Flow *f, Str bytes) {
    (void)f, (void)bytes;
    static const char page[65536];
    for (;;)
        if (write(STDOUT_FILENO, page, sizeof page) < 0) _exit(1);
}

static Err refuse(Flow *f, Str bytes) {
    (void)f, (void)bytes;
    return err_set(ERR_CORRUPT, "nothing good at byte 7");
}

static Err read_well(Flow *f, Str bytes) {
    f->title = STR("A title");
    flow_page(f, 1);
    flow_heading(f, 1, STR("First"));
    flow_text(f, bytes);
    flow_page(f, 2);
    flow_text(f, STR("the second page"));
    return ERR_OK;
}

/* The document's first line is how large it was; it is read until it grew. */
static Err wait_for_growth(Flow *f, Str bytes) {
    Str line;
    int64_t size = 0;
    struct stat st = {0};
    if (!str_line(&bytes, &line) || !str_to_i64(line, &size)) return err_set(ERR_CORRUPT, "no size");
    while (fstat(STDIN_FILENO, &st) == 0 && st.st_size <= size) {}
    flow_text(f, STR("it grew"));
    return ERR_OK;
}

#define FORMAT(function)                                                                                               \
    { #function, "text", NULL, NULL, false, FORMAT_BYTES, function }
static const DocumentFormat hostile[] = {
    FORMAT(try_files),       FORMAT(try_network), FORMAT(try_processes), FORMAT(try_memory),
    FORMAT(crash),           FORMAT(loop),        FORMAT(sleep_on),      FORMAT(say_nothing),
    FORMAT(refuse),          FORMAT(read_well),   FORMAT(say_too_much),  FORMAT(say_what_is_no_answer),
    FORMAT(wait_for_growth),
};
enum { N_HOSTILE = sizeof hostile / sizeof *hostile };

/* ---- tests ---- */

static int new_root(void **state) {
    (void)state;
    (void)snprintf(root, sizeof root, "%s", check_temp_dir());
    return 0;
}

static int drop_root(void **state) {
    (void)state;
    arena_free(&arena);
    return file_remove_tree(root) ? -1 : 0;
}

/* The reason, "" when there is none. */
static Str read_by(const char *name, const char *content, int64_t timeout_ms, Doc *doc) {
    const ChildOpts opts = {
        .program = "/proc/self/exe", .readers = kept, .memory = 256 << 20, .timeout_ms = timeout_ms};
    char path[700];
    Str skip = STR("");
    *doc = (Doc){0};
    tree_file(root, "document", content);
    (void)snprintf(path, sizeof path, "%s/document", root);
    const int fd = open(path, O_RDWR | O_CLOEXEC); /* more than a reader gets: what it lacks is not for want of that */
    CHECK(fd >= 0);
    for (size_t i = 0; i < N_HOSTILE; i++)
        if (strcmp(hostile[i].name, name) == 0) CHECK_OK(child_read(&arena, fd, &hostile[i], &opts, doc, &skip));
    CHECK_INT(close(fd), 0);
    return skip;
}

static void a_reader_opens_no_file(void **state) {
    (void)state;
    Doc doc;
    char neighbour[700];
    tree_file(root, "neighbour", "a secret");
    (void)snprintf(neighbour, sizeof neighbour, "%s/neighbour", root);
    CHECK_STR(read_by("try_files", neighbour, 10000, &doc), "");
    CHECK_STR(doc.text, "open the neighbour: refused\n"
                        "open /etc/passwd: refused\n"
                        "open its own program: refused\n"
                        "make a file: refused\n"
                        "write to the document: refused\n"
                        "remove the neighbour: refused\n"
                        "list a folder: refused\n");
    CHECK_INT(access(neighbour, R_OK), 0);
}

static void a_reader_reaches_no_network(void **state) {
    (void)state;
    Doc doc;
    CHECK_STR(read_by("try_network", "x", 10000, &doc), "");
    CHECK_STR(doc.text, "make a TCP socket: refused\nmake a UDP socket: refused\nmake a local socket: refused\n");
}

static void a_reader_starts_and_ends_no_process(void **state) {
    (void)state;
    Doc doc;
    CHECK_STR(read_by("try_processes", "x", 10000, &doc), "");
    CHECK_STR(doc.text, "start a process: refused\nbecome another program: refused\nend its parent: refused\n"
                        "end its parent's thread: refused\nmake memory that runs: refused\n");
}

static void a_reader_gets_no_more_memory_than_it_may(void **state) {
    (void)state;
    Doc doc;
    CHECK_STR(read_by("try_memory", "x", 10000, &doc), "");
    CHECK_STR(doc.text, MEMORY_IS_LIMITED ? "take 1.5 GB: refused\n" : "take 1.5 GB: done\n");
}

static void a_reader_that_ends_badly_costs_its_document(void **state) {
    (void)state;
    Doc doc;
    CHECK_STR(read_by("crash", "x", 10000, &doc), "quarantined (crash reader ended by signal 6, Aborted)");
    CHECK_STR(read_by("loop", "x", 300, &doc), "quarantined (loop reader took longer than 0.3 s)");
    CHECK_STR(read_by("sleep_on", "x", 1000, &doc), "quarantined (sleep_on reader took longer than 1 s)");
    CHECK_STR(read_by("say_nothing", "x", 10000, &doc), "quarantined (say_nothing reader gave no answer, exit 0)");
    CHECK_STR(read_by("say_too_much", "x", 60000, &doc), "quarantined (say_too_much reader gave too much text)");
    CHECK_STR(read_by("say_what_is_no_answer", "x", 10000, &doc),
              "quarantined (say_what_is_no_answer reader gave no answer, exit 0)");
    CHECK_STR(read_by("refuse", "x", 10000, &doc), "broken refuse (nothing good at byte 7)");
}

static void what_was_read_comes_with_its_marks(void **state) {
    (void)state;
    Doc doc;
    CHECK_STR(read_by("read_well", "some  words", 10000, &doc), "");
    CHECK_STR(doc.title, "A title");
    CHECK_STR(doc.text, "First\n\nsome words\n\nthe second page\n");
    CHECK(doc.extracted);
    CHECK_INT(doc.n_marks, 2);
    CHECK_INT(doc.marks[0].start, 0);
    CHECK_INT(doc.marks[0].page, 1);
    CHECK(doc.marks[0].titled);
    CHECK_STR(doc.marks[0].heading, "First");
    CHECK_INT(doc.marks[1].start, 19);
    CHECK_INT(doc.marks[1].page, 2);
    CHECK_STR(doc.marks[1].heading, "First");
}

static void a_program_that_is_not_there_is_told(void **state) {
    (void)state;
    Doc doc = {0};
    Str skip = STR("");
    const ChildOpts opts = {.program = "/nonexistent/pythia", .memory = 256 << 20, .timeout_ms = 1000};
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_ERR(child_read(&arena, fd, &hostile[0], &opts, &doc, &skip), ERR_IO, "cannot start '/nonexistent/pythia'");
    CHECK_INT(close(fd), 0);
}

static void a_cancelled_run_does_not_wait_for_its_reader(void **state) {
    (void)state;
    Doc doc = {0};
    Str skip = STR("");
    const volatile int cancel = 1;
    const Deadline stop = {.cancel = &cancel};
    const ChildOpts opts = {.program = "/proc/self/exe", .memory = 256 << 20, .timeout_ms = 600000, .stop = &stop};
    char path[700];
    tree_file(root, "document", "x");
    (void)snprintf(path, sizeof path, "%s/document", root);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const DocumentFormat endless = FORMAT(loop);
    CHECK_INT(child_read(&arena, fd, &endless, &opts, &doc, &skip), ERR_INTERRUPT);
    /* it is gone, and was waited for; readers that wait may be there */
    CHECK_INT(waitpid(-1, NULL, WNOHANG), kept ? 0 : -1);
    CHECK_INT(close(fd), 0);
}

static void *grow(void *path) {
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, "more\n", 5) != 5) abort();
    (void)close(fd);
    return NULL;
}

static void a_document_that_changes_while_it_is_read_is_told(void **state) {
    (void)state;
    Doc doc = {0};
    Str skip = STR("");
    char path[700];
    struct stat st;
    pthread_t writer;
    const DocumentOpts opts = {
        .child = {.program = "/proc/self/exe", .readers = kept, .memory = 256 << 20, .timeout_ms = 60000},
        .max_size = 1000};
    const DocumentFormat slow = FORMAT(wait_for_growth);
    tree_file(root, "document", "2\n");
    (void)snprintf(path, sizeof path, "%s/document", root);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_INT(fstat(fd, &st), 0);
    CHECK_INT(pthread_create(&writer, NULL, grow, path), 0);
    CHECK_OK(document_read(&arena, fd, &st, &slow, 1000, &opts, &doc, &skip));
    CHECK_INT(pthread_join(writer, NULL), 0);
    CHECK_INT(close(fd), 0);
    CHECK_STR(skip, "changed while being read");
}

static const struct CMUnitTest tests[] = {
#define READER_TEST(f) cmocka_unit_test_setup_teardown(f, new_root, drop_root)
    READER_TEST(a_reader_opens_no_file),
    READER_TEST(a_reader_reaches_no_network),
    READER_TEST(a_reader_starts_and_ends_no_process),
    READER_TEST(a_reader_gets_no_more_memory_than_it_may),
    READER_TEST(a_reader_that_ends_badly_costs_its_document),
    READER_TEST(what_was_read_comes_with_its_marks),
    READER_TEST(a_program_that_is_not_there_is_told),
    READER_TEST(a_cancelled_run_does_not_wait_for_its_reader),
    READER_TEST(a_document_that_changes_while_it_is_read_is_told),
};

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], CHILD_WORD) == 0) return child_main(argc, argv, hostile, N_HOSTILE);
    /* Once with a process started for each document, once with readers that wait. */
    int bad = cmocka_run_group_tests_name("started anew", tests, NULL, NULL);
    if (readers_open(&kept, "/proc/self/exe")) return 1;
    bad += cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
    readers_close(kept);
    return bad;
}

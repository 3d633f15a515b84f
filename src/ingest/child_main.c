/* child_main.c - the child's side: confine, read, answer, end. See child.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/child.h"
#include "ingest/confine.h"
#include "ingest/wire.h"

enum { EXIT_USAGE = 64, EXIT_NO_PROGRAM = 127 };

static bool write_all(Str s) {
    while (s.n) {
        const ssize_t n = write(STDOUT_FILENO, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        s = str_from(s, (size_t)n);
    }
    return true;
}

/* The document's bytes, mapped: none are copied. A file that shrinks meanwhile ends the child, and the parent tells. */
static bool document_map(Str *out) {
    struct stat st;
    if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0) return false;
    *out = STR("");
    if (st.st_size == 0) return true;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    *out = str_make(p, (size_t)st.st_size);
    return p != MAP_FAILED;
}

static int read_document(const DocumentFormat *format, const ConfineLimits *limits) {
    Str bytes;
    Arena a = {0};
    Flow f;
    Doc doc = {0};
    Buf answer = {0};
    if (!document_map(&bytes)) return EXIT_USAGE;
    flow_begin(&f, &a);
    charsets_prepare(&f.charsets, bytes); /* opens what it may need: afterwards nothing can be opened */
    (void)confine_self(limits);
    Err err = format->read(&f, bytes);
    if (!err) err = flow_end(&f, &doc);
    if (err)
        wire_put_refused(&answer, err, str_of(err_text()));
    else
        wire_put_text(&answer, &doc);
    if (answer.failed) return EXIT_FAILURE;
    return write_all(buf_str(&answer)) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Becomes the program, which inherits what was taken from us. */
static int become_program(char **words, const ConfineLimits *limits) {
    char *const environment[] = {"LC_ALL=C.UTF-8", "OMP_THREAD_LIMIT=1", "HOME=/nonexistent", NULL};
    (void)confine_self(limits);
    (void)execve(words[0], words, environment);
    (void)dprintf(STDERR_FILENO, "cannot start '%s': %s\n", words[0], strerror(errno));
    return EXIT_NO_PROGRAM;
}

int child_main(int argc, char **argv, const DocumentFormat *more, size_t n_more) {
    ConfineLimits limits = {.kind = CONFINE_READER};
    const DocumentFormat *format = NULL;
    if (argc < 5 || !str_to_i64(str_of(argv[2]), &limits.memory) || !str_to_i64(str_of(argv[3]), &limits.cpu_s))
        _exit(EXIT_USAGE);
    if (str_is(str_of(argv[4]), "=") && argc > 5) {
        limits.kind = CONFINE_PROGRAM;
        _exit(become_program(argv + 5, &limits));
    }
    for (size_t i = 0; i < n_more; i++)
        if (str_is(str_of(argv[4]), more[i].name)) format = &more[i];
    if (!format) format = format_named(str_of(argv[4]));
    if (!format || !format->read) _exit(EXIT_USAGE);
    /* No handlers, no flushing: whatever the document made of this process ends here. */
    _exit(read_document(format, &limits));
}

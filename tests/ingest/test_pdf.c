/* PDF and pictures where the programs that read them are not installed: what is told then. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "ingest/document.h"
#include "tree.h"

static char root[600];
static Arena arena;

static int setup(void **state) {
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/pythia-pdf-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    char command[700];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command) == 0 ? 0 : -1;
}

/* The system's program, in a folder where others are missing. */
static void program_link(const char *name) {
    char from[700];
    const char *to = pdf_program(&arena, NULL, name);
    CHECK(to != NULL); /* tools/setup.sh packages */
    (void)snprintf(from, sizeof from, "%s/%s", root, name);
    CHECK_INT(symlink(to, from), 0);
}

/* Why the file is not read, with the programs of root alone. */
static Str reason_of(const char *name, const char *bytes, size_t n, bool ocr) {
    char path[700];
    FILE *f;
    struct stat st;
    Doc doc = {0};
    Str skip = STR("");
    const DocumentOpts opts = {
        .child = {.program = "/proc/self/exe", .memory = (int64_t)1 << 30, .timeout_ms = 60000},
        .max_size = 1 << 20,
        .pdf = {.ocr = ocr, .ocr_pages = 5, .languages = "eng", .programs = root},
    };
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK((f = fopen(path, "wb")) != NULL);
    CHECK_INT(fwrite(bytes, 1, n, f), n);
    CHECK_INT(fclose(f), 0);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_INT(fstat(fd, &st), 0);
    const DocumentFormat *format = format_of(str_of(name), str_make(bytes, n));
    CHECK(format != NULL);
    CHECK_OK(document_read(&arena, fd, &st, format, 1 << 20, &opts, &doc, &skip));
    (void)close(fd);
    return skip;
}

/* One page without a word. */
static const char page[] =
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>\n"
    "endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]>>\nendobj\n"
    "trailer<</Size 4/Root 1 0 R>>\n%%EOF\n";

static void without_pdftotext_no_pdf_is_read(void **state) {
    (void)state;
    CHECK_STR(reason_of("a.pdf", page, sizeof page - 1, true),
              "PDF not supported (it takes pdftotext: apt-get install poppler-utils)");
}

static void without_tesseract_ocr_tells_what_it_takes(void **state) {
    (void)state;
    char picture[8192] = "\x89PNG\r\n\x1a\n";
    program_link("pdftotext");
    program_link("pdftoppm");
    CHECK_STR(reason_of("a.pdf", page, sizeof page - 1, false),
              "no text (PDF of 1 page, perhaps scanned; documents.ocr reads pictures)");
    CHECK_STR(reason_of("a.pdf", page, sizeof page - 1, true),
              "no text (PDF of 1 page; documents.ocr takes tesseract: apt-get install tesseract-ocr)");
    CHECK_STR(reason_of("a.png", picture, sizeof picture, true),
              "picture (documents.ocr takes tesseract: apt-get install tesseract-ocr)");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_pdftotext_no_pdf_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(without_tesseract_ocr_tells_what_it_takes, setup, teardown),
    };
    if (argc > 1 && strcmp(argv[1], CHILD_WORD) == 0) return child_main(argc, argv, NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

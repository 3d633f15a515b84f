/* format_pdf.c - PDF, read by programs of others: pdftotext and pdfinfo (poppler), and for pages that are pictures
 * pdftoppm with tesseract, which also reads pictures that are files. They are run confined as children (child.h) and
 * never linked: they are GPL. What they print is all we see, and its only structure is the form feed behind each page.
 */
#include "ingest/format_pdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    INFO_MAX = 1 << 20,
    PICTURE_LEAST = 4096, /* bytes: smaller ones are icons */
    IMAGE_MAX = 64 << 20, /* bytes of one page as a picture: A3 at 200 dpi, grey, has 8 MB */
};

/* Where the system keeps programs: what is confined may read nothing else. */
const char *pdf_program(Arena *a, const char *folder, const char *name) {
    const char *const folders[] = {folder ? folder : "/usr/bin", folder ? folder : "/bin",
                                   folder ? folder : "/usr/local/bin"};
    for (size_t i = 0; i < (folder ? 1 : 3); i++) {
        const char *path = path_join(a, folders[i], name);
        if (path && access(path, X_OK) == 0) return path;
    }
    return NULL;
}

/* ---- the text of pages ---- */

static bool is_lower(char c) { return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80; }
static bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

/* "exam-" before "ple": the word goes on, without the hyphen. */
static bool is_parted(Str line, Str next) {
    return line.n > 2 && line.p[line.n - 1] == '-' && is_letter(line.p[line.n - 2]) && next.n && is_lower(next.p[0]);
}

static void page_read(Flow *f, Str page) {
    Str rest = page, line, next;
    bool more = str_line(&rest, &line);
    while (more) {
        Str ahead = rest;
        more = str_line(&ahead, &next);
        const Str words = str_trim(line);
        if (words.n == 0) {
            flow_paragraph(f);
        } else if (more && is_parted(words, str_trim(next))) {
            flow_text(f, str_upto(words, words.n - 1));
        } else {
            flow_text(f, words);
            flow_line(f);
        }
        line = next;
        rest = ahead;
    }
    flow_paragraph(f);
}

int32_t pdf_pages(Flow *f, Str printed) {
    int32_t page = 0;
    for (Str rest = printed, text; page < INT32_MAX && str_cut(&rest, '\f', &text);) {
        flow_page(f, ++page);
        page_read(f, text);
    }
    return page;
}

/* ---- pdftotext ---- */

/* The last line that tells of an error, for the reason. */
static Str complaint(Str err) {
    Str found = STR("pdftotext gave up");
    for (Str rest = err, line; str_line(&rest, &line);)
        if (str_find(line, STR("Error")) >= 0) found = str_trim(line);
    return str_upto(found, 200);
}

static Err failure(Arena *a, const ChildEnd *end, Str *skip) {
    if (str_find(end->err, STR("ncorrect password")) >= 0)
        *skip = STR("encrypted (PDF)");
    else if (end->exit_code == 3)
        *skip = STR("PDF not supported (its author does not allow its text to be copied)");
    else
        *skip = arena_printf(a, "broken PDF (%.*s)", STR_FMT(complaint(end->err)));
    return skip->p ? ERR_OK : arena_error();
}

static Err print(Arena *a, int fd, const PdfOpts *pdf, Str *printed, Str *skip) {
    const ChildOpts *opts = &pdf->child;
    const char *program = pdf_program(a, pdf->programs, "pdftotext");
    ChildEnd end;
    if (!program) return *skip = STR("PDF not supported (it takes pdftotext: apt-get install poppler-utils)"), ERR_OK;
    const char *const words[] = {program, "-enc", "UTF-8", "-eol", "unix", "-", "-", NULL};
    TRY(child_run_program(a, fd, words, opts, FLOW_TEXT_MAX, &end));
    TRY(child_problem(a, &end, "PDF", opts, skip));
    if (skip->n) return ERR_OK;
    *printed = end.out;
    return end.exit_code == 0 ? ERR_OK : failure(a, &end, skip);
}

/* ---- what it says of itself ---- */

/* What programs write when their user gave none. */
static bool is_no_name(Str name) {
    static const char *const empty[] = {"", "untitled", "untitled document", "unknown", "title", "(anonymous)"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        if (str_eq_nocase(name, str_of(empty[i]))) return true;
    return false;
}

/* A line of pdfinfo's: "Author:          Anna Berg". */
static Err info_line(Flow *f, Str line) {
    static const struct {
        const char *before, *name; /* NULL: the title */
    } known[] = {{"Title:", NULL},          {"Author:", "author"},        {"Subject:", "subject"},
                 {"Keywords:", "keywords"}, {"CreationDate:", "created"}, {"ModDate:", "modified"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_starts(line, str_of(known[i].before))) continue;
        const Str value = flow_collapse(f->arena, str_from(line, strlen(known[i].before)));
        if (!value.p) return arena_error();
        if (is_no_name(value)) return ERR_OK;
        if (known[i].name)
            flow_meta(f, known[i].name, value);
        else if (!f->title.n)
            f->title = value;
    }
    return ERR_OK;
}

/* As pdfinfo tells it. Nothing where it has none, or is not installed: that is no reason not to read the document. */
static Err about_read(Flow *f, int fd, const PdfOpts *opts) {
    const char *program = pdf_program(f->arena, opts->programs, "pdfinfo");
    ChildEnd end;
    if (!program) return ERR_OK;
    const char *const words[] = {program, "-enc", "UTF-8", "-isodates", "-", NULL};
    TRY(child_run_program(f->arena, fd, words, &opts->child, INFO_MAX, &end));
    if (end.exit_code != 0) return ERR_OK;
    for (Str rest = end.out, line; str_line(&rest, &line);) TRY(info_line(f, line));
    return ERR_OK;
}

/* ---- pictures ---- */

typedef struct {
    Arena *a;
    int fd;
    const PdfOpts *opts;
    const char *draw, *read; /* programs */
    Str *skip;
} Ocr;

/* Bytes as a file without a name: a program's input. */
static Err as_file(Str bytes, FILE **out) {
    *out = tmpfile();
    if (*out && fwrite(bytes.p, 1, bytes.n, *out) == bytes.n && fflush(*out) == 0) return ERR_OK;
    if (*out) (void)fclose(*out);
    return err_set(ERR_IO, "cannot keep a page's picture in a temporary file");
}

static Err text_of_picture(Ocr *o, int picture, Str *text) {
    ChildEnd end;
    const char *const words[] = {o->read, "stdin", "stdout", "-l", o->opts->languages, NULL};
    TRY(child_run_program(o->a, picture, words, &o->opts->child, FLOW_TEXT_MAX, &end));
    TRY(child_problem(o->a, &end, "OCR", &o->opts->child, o->skip));
    if (o->skip->n) return ERR_OK;
    *text = end.out;
    if (end.exit_code == 0) return ERR_OK;
    *o->skip = arena_printf(o->a, "no text (tesseract: %.*s)", STR_FMT(str_upto(str_trim(end.err), 200)));
    return o->skip->p ? ERR_OK : arena_error();
}

static Str without_page_end(Str text) {
    while (text.n && text.p[text.n - 1] == '\f') text.n--;
    return text;
}

static Err page_ocr(Ocr *o, int32_t page, Flow *f) {
    ChildEnd end;
    Str text = STR("");
    const char *number = arena_printf(o->a, "%d", (int)page).p;
    if (!number) return arena_error();
    const char *const words[] = {o->draw, "-r", "200", "-gray", "-f", number, "-l", number, "-", NULL};
    TRY(child_run_program(o->a, o->fd, words, &o->opts->child, IMAGE_MAX, &end));
    TRY(child_problem(o->a, &end, "PDF", &o->opts->child, o->skip));
    if (o->skip->n || end.exit_code != 0) return ERR_OK;
    FILE *file = NULL;
    TRY(as_file(end.out, &file));
    const Err err = text_of_picture(o, fileno(file), &text);
    (void)fclose(file);
    if (err || o->skip->n) return err;
    flow_page(f, page);
    page_read(f, without_page_end(text));
    return ERR_OK;
}

/* Pages that are pictures. */
static Err pictures_read(Arena *a, int fd, const PdfOpts *opts, int32_t pages, Flow *f, Str *skip) {
    Ocr o = {.fd = fd,
             .opts = opts,
             .draw = pdf_program(a, opts->programs, "pdftoppm"),
             .read = pdf_program(a, opts->programs, "tesseract"),
             .skip = skip};
    const int32_t most = pages < opts->ocr_pages ? pages : (int32_t)opts->ocr_pages;
    if (!opts->ocr)
        *skip = arena_printf(a, "no text (PDF of %d page%s, perhaps scanned; documents.ocr reads pictures)", (int)pages,
                             pages == 1 ? "" : "s");
    else if (!o.read || !o.draw)
        *skip =
            arena_printf(a, "no text (PDF of %d page%s; documents.ocr takes tesseract: apt-get install tesseract-ocr)",
                         (int)pages, pages == 1 ? "" : "s");
    if (!skip->p) return arena_error();
    Err err = ERR_OK;
    Arena scratch = {0};
    o.a = &scratch;
    Str reason = STR("");
    o.skip = &reason;
    for (int32_t page = 1; !err && !skip->n && page <= most; page++) {
        err = page_ocr(&o, page, f);
        *skip = arena_str(a, reason);
        if (!skip->p) err = arena_error();
        arena_reset(&scratch);
    }
    arena_free(&scratch);
    return err;
}

Err picture_read(Arena *a, int fd, const PdfOpts *opts, Doc *out, Str *skip) {
    Ocr o = {.a = a, .fd = fd, .opts = opts, .read = pdf_program(a, opts->programs, "tesseract"), .skip = skip};
    Str text = STR("");
    Flow f;
    struct stat st;
    if (!o.read) return *skip = STR("picture (documents.ocr takes tesseract: apt-get install tesseract-ocr)"), ERR_OK;
    if (fstat(fd, &st) != 0 || st.st_size < PICTURE_LEAST) return *skip = STR("picture too small for a page"), ERR_OK;
    TRY(text_of_picture(&o, fd, &text));
    if (skip->n) return ERR_OK;
    flow_begin(&f, a);
    flow_page(&f, 1);
    page_read(&f, without_page_end(text));
    const Err err = flow_end(&f, out);
    flow_free(&f);
    return err;
}

static bool is_blank(const Flow *f) { return str_trim(buf_str(&f->text)).n == 0; }

Err pdf_read(Arena *a, int fd, const PdfOpts *opts, Doc *out, Str *skip) {
    Flow f;
    Str printed = STR("");
    TRY(print(a, fd, opts, &printed, skip));
    if (skip->n) return ERR_OK;
    flow_begin(&f, a);
    Err err = about_read(&f, fd, opts);
    const int32_t pages = pdf_pages(&f, printed);
    if (!err && is_blank(&f)) err = pictures_read(a, fd, opts, pages, &f, skip);
    if (!err && !skip->n && is_blank(&f)) *skip = STR("no text (PDF, nor in its pictures)");
    if (!err && !skip->n) err = flow_end(&f, out);
    flow_free(&f);
    if (err != ERR_LIMIT) return err;
    *skip = arena_printf(a, "PDF over a limit (%s)", err_text());
    return skip->p ? ERR_OK : arena_error();
}

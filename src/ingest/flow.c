/* flow.c - see flow.h. */
#include "ingest/flow.h"

#include "base/utf8.h"

enum { TITLE_MAX = 1000 }; /* bytes */

void flow_free(Flow *f) {
    buf_free(&f->text);
    buf_free(&f->marks);
    buf_free(&f->parts);
    buf_free(&f->meta);
    charsets_close(&f->charsets);
}

static bool has_room(Flow *f, size_t n) {
    if (f->over || f->failed || n > FLOW_TEXT_MAX - f->text.n) f->over = true;
    return !f->over;
}

static bool at_line_start(const Flow *f) { return f->text.n == 0 || f->text.p[f->text.n - 1] == '\n'; }

/* What follows at this place of the text stands under f->path, on f->page. */
static void mark(Flow *f, bool titled) {
    const DocMark now = {.start = (int64_t)f->text.n, .page = f->page, .titled = titled, .heading = f->path};
    DocMark *all = (DocMark *)(void *)f->marks.p;
    if (f->n_marks && all[f->n_marks - 1].start == now.start) {
        all[f->n_marks - 1] = now;
        return;
    }
    if (f->n_marks == FLOW_MARKS_MAX) {
        f->over = true;
        return;
    }
    buf_add_bytes(&f->marks, &now, sizeof now);
    f->n_marks++;
}

void flow_begin(Flow *f, Arena *a) {
    *f = (Flow){.arena = a, .title = STR(""), .path = STR("")};
    mark(f, false); /* a document always has one: that is how its text is told from a file's own */
}

/* ---- words ---- */

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The bytes of a blank at s.p[i], 0 when there is none: U+00A0 and U+3000 count, too. */
static size_t blank_at(Str s, size_t i) {
    if (is_blank(s.p[i])) return 1;
    if (s.n - i >= 2 && memcmp(s.p + i, "\xc2\xa0", 2) == 0) return 2;
    return s.n - i >= 3 && memcmp(s.p + i, "\xe3\x80\x80", 3) == 0 ? 3 : 0;
}

/* Zero-width and soft characters that only part a word: U+00AD, U+200B, U+FEFF. */
static size_t nothing_at(Str s, size_t i) {
    const unsigned char c = (unsigned char)s.p[i];
    if ((c < 0x20 && !is_blank(s.p[i])) || c == 0x7f) return 1;
    if (s.n - i >= 2 && memcmp(s.p + i, "\xc2\xad", 2) == 0) return 2;
    if (s.n - i >= 3 && (memcmp(s.p + i, "\xe2\x80\x8b", 3) == 0 || memcmp(s.p + i, "\xef\xbb\xbf", 3) == 0)) return 3;
    return 0;
}

/* The word's bytes at s.p[i] up to the next blank or what is left out. */
static size_t word_at(Str s, size_t i) {
    size_t n = 0;
    while (i + n < s.n && !blank_at(s, i + n) && !nothing_at(s, i + n)) n++;
    return n;
}

static void collapse_into(Buf *out, bool *blank_due, Str s) {
    for (size_t i = 0; i < s.n;) {
        const size_t blank = blank_at(s, i), nothing = blank ? 0 : nothing_at(s, i);
        if (blank) *blank_due = true;
        i += blank + nothing;
        if (blank || nothing) continue;
        const size_t n = word_at(s, i);
        if (*blank_due && out->n && out->p[out->n - 1] != '\n') buf_char(out, ' ');
        *blank_due = false;
        buf_add_bytes(out, s.p + i, n);
        i += n;
    }
}

/* s, or a repaired copy in *repaired. */
static Str well_formed(Str s, Buf *repaired) {
    if (utf8_valid(s)) return s;
    utf8_repair(repaired, s);
    return buf_str(repaired);
}

void flow_text(Flow *f, Str text) {
    Buf repaired = {0};
    const Str s = well_formed(text, &repaired);
    if (has_room(f, s.n)) collapse_into(&f->text, &f->blank_due, s);
    f->failed = f->failed ? f->failed : buf_ok(&repaired);
    buf_free(&repaired);
}

void flow_verbatim(Flow *f, Str text) {
    Buf repaired = {0};
    const Str s = well_formed(text, &repaired);
    if (has_room(f, s.n + 1)) {
        if (f->blank_due && !at_line_start(f)) buf_char(&f->text, ' ');
        f->blank_due = false;
        for (size_t i = 0; i < s.n;) {
            const char c = s.p[i];
            const size_t nothing = nothing_at(s, i);
            const bool line_end = c == '\r' || c == '\v' || c == '\f';
            if (line_end && !(c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')) buf_char(&f->text, '\n');
            if (!nothing && !line_end) buf_char(&f->text, c);
            i += nothing ? nothing : 1;
        }
    }
    f->failed = f->failed ? f->failed : buf_ok(&repaired);
    buf_free(&repaired);
}

Str flow_collapse(Arena *a, Str text) {
    Buf out = {0}, repaired = {0};
    bool blank_due = false;
    collapse_into(&out, &blank_due, well_formed(text, &repaired));
    const Str copy = out.failed || repaired.failed ? (Str){NULL, 0} : arena_str(a, buf_str(&out));
    buf_free(&out);
    buf_free(&repaired);
    return copy;
}

/* ---- lines ---- */

void flow_line(Flow *f) {
    f->blank_due = false;
    while (f->text.n && (f->text.p[f->text.n - 1] == ' ' || f->text.p[f->text.n - 1] == '\t')) f->text.n--;
    if (!at_line_start(f)) buf_char(&f->text, '\n');
}

void flow_paragraph(Flow *f) {
    flow_line(f);
    if (f->text.n > 1 && f->text.p[f->text.n - 2] != '\n') buf_char(&f->text, '\n');
}

void flow_lines(Flow *f, Str text) {
    for (Str line; str_line(&text, &line);) {
        flow_text(f, line);
        flow_line(f);
    }
}

void flow_page(Flow *f, int32_t page) {
    if (page == f->page) return;
    f->page = page;
    flow_paragraph(f);
    mark(f, false);
}

/* ---- headings ---- */

static void path_make(Flow *f) {
    Buf path = {0};
    for (size_t i = 0; i < FLOW_LEVELS; i++) {
        if (f->headings[i].n == 0) continue;
        if (path.n) buf_add_z(&path, " > ");
        buf_add(&path, f->headings[i]);
    }
    f->path = path.failed ? (Str){NULL, 0} : arena_str(f->arena, buf_str(&path));
    if (!f->path.p) f->failed = ERR_NOMEM, f->path = STR("");
    buf_free(&path);
}

void flow_heading_end(Flow *f, int level) {
    bool any = false;
    level += f->levels_above;
    for (int i = level < 1 ? 0 : level - 1; i < FLOW_LEVELS; i++) {
        any |= f->headings[i].n > 0;
        f->headings[i] = (Str){0};
    }
    if (!any) return;
    path_make(f);
    flow_paragraph(f);
    mark(f, false);
}

/* What follows stands under this heading; *all: its words, "" for none or no room. */
static void heading_set(Flow *f, int level, Str title, Str *all) {
    const Str words = flow_collapse(f->arena, title);
    level += f->levels_above;
    *all = STR("");
    if (!words.p) f->failed = ERR_NOMEM;
    if (words.n == 0 || !has_room(f, words.n + 4)) return;
    const size_t at = level < 1 ? 0 : level > FLOW_LEVELS ? FLOW_LEVELS - 1 : (size_t)level - 1;
    for (size_t i = at; i < FLOW_LEVELS; i++) f->headings[i] = (Str){0};
    f->headings[at] = str_upto(words, utf8_floor(words, FLOW_HEADING_MAX));
    path_make(f);
    flow_paragraph(f);
    *all = words;
}

void flow_heading(Flow *f, int level, Str title) {
    Str all;
    heading_set(f, level, title, &all);
    if (all.n == 0) return;
    mark(f, true);
    buf_add(&f->text, all);
    flow_paragraph(f);
}

void flow_under(Flow *f, int level, Str title) {
    Str all;
    heading_set(f, level, title, &all);
    if (all.n) mark(f, false);
}

/* ---- tables ---- */

void flow_row(Flow *f, const Str *headers, size_t n_headers, const Str *cells, size_t n) {
    bool first = true;
    if (n > FLOW_COLUMNS_MAX) n = FLOW_COLUMNS_MAX;
    flow_line(f);
    for (size_t i = 0; i < n; i++) {
        const bool named = i < n_headers && headers[i].n > 0;
        if (cells[i].n == 0) continue;
        if (!first) flow_text(f, STR(" | "));
        first = false;
        if (named) {
            flow_text(f, headers[i]);
            flow_text(f, STR(": "));
        }
        flow_text(f, cells[i]);
    }
    flow_line(f);
}

/* ---- of itself ---- */

void flow_meta(Flow *f, const char *name, Str value) {
    Buf repaired = {0};
    (void)meta_add(&f->meta, str_of(name), well_formed(value, &repaired)); /* a date that is none is not worth a word */
    f->failed = f->failed ? f->failed : buf_ok(&repaired);
    buf_free(&repaired);
}

/* ---- documents within ---- */

bool flow_part(Flow *f, Str bytes) {
    if (f->n_parts == FLOW_PARTS_MAX || bytes.n > FLOW_PARTS_BYTES - f->parts_bytes) return false;
    flow_paragraph(f);
    const DocPart part = {.start = (int64_t)f->text.n, .bytes = bytes};
    buf_add_bytes(&f->parts, &part, sizeof part);
    f->n_parts++;
    f->parts_bytes += bytes.n;
    return true;
}

/* What was cut from the text's end takes their places with it. */
static Err parts_end(Flow *f, Doc *out) {
    DocPart *parts = arena_array(f->arena, DocPart, f->n_parts + 1);
    if (!parts) return arena_error();
    if (f->n_parts) memcpy(parts, f->parts.p, f->n_parts * sizeof *parts);
    for (size_t i = 0; i < f->n_parts; i++)
        if (parts[i].start > (int64_t)out->text.n) parts[i].start = (int64_t)out->text.n;
    out->parts = parts;
    out->n_parts = f->n_parts;
    return ERR_OK;
}

/* ---- the end ---- */

Err flow_end(Flow *f, Doc *out) {
    flow_line(f);
    while (f->text.n > 1 && f->text.p[f->text.n - 2] == '\n') f->text.n--;
    if (f->text.n == 1 && f->text.p[0] == '\n') f->text.n = 0;
    if (f->failed || f->text.failed || f->marks.failed || f->parts.failed || f->meta.failed)
        return err_set(ERR_NOMEM, "out of memory for the document's text");
    if (f->over) return err_set(ERR_LIMIT, "more than %zu MB of text", FLOW_TEXT_MAX >> 20);
    /* A mark behind the last word is of nothing. */
    const DocMark *all = (const DocMark *)(const void *)f->marks.p;
    while (f->n_marks && (uint64_t)all[f->n_marks - 1].start >= f->text.n) f->n_marks--;
    DocMark *marks = arena_array(f->arena, DocMark, f->n_marks + 1);
    const Str text = arena_str(f->arena, buf_str(&f->text));
    if (!marks || !text.p) return arena_error();
    if (f->n_marks) memcpy(marks, all, f->n_marks * sizeof *marks);
    out->text = text;
    /* Readers take it as it stands in the document. */
    out->title = flow_collapse(f->arena, str_upto(f->title, utf8_floor(f->title, TITLE_MAX)));
    out->meta = arena_str(f->arena, buf_str(&f->meta));
    if (!out->title.p || !out->meta.p) return arena_error();
    out->marks = marks;
    out->n_marks = f->n_marks;
    out->extracted = true;
    return parts_end(f, out);
}

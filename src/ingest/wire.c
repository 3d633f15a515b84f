/* wire.c - see wire.h. */
#include "ingest/wire.h"

#include "base/meta.h"
#include "base/utf8.h"
#include "ingest/flow.h"

enum { KIND_TEXT, KIND_REFUSED, REASON_MAX = 1000 };

static const char magic[] = "PYD2";

/* ---- writing ---- */

static void put_u32(Buf *out, size_t v) {
    for (int i = 0; i < 4; i++) buf_char(out, (char)(v >> 8 * i & 0xff));
}

static void put_str(Buf *out, Str s) {
    put_u32(out, s.n);
    buf_add(out, s);
}

void wire_put_text(Buf *out, const Doc *doc) {
    buf_add_z(out, magic);
    buf_char(out, KIND_TEXT);
    put_str(out, doc->title);
    put_str(out, doc->meta);
    put_str(out, doc->text);
    put_u32(out, doc->n_marks);
    for (size_t i = 0; i < doc->n_marks; i++) {
        put_u32(out, (size_t)doc->marks[i].start);
        put_u32(out, (size_t)doc->marks[i].page);
        buf_char(out, doc->marks[i].titled);
        put_str(out, doc->marks[i].heading);
    }
    put_u32(out, doc->n_parts);
    for (size_t i = 0; i < doc->n_parts; i++) {
        put_u32(out, (size_t)doc->parts[i].start);
        put_str(out, doc->parts[i].bytes);
    }
}

void wire_put_refused(Buf *out, Err code, Str reason) {
    buf_add_z(out, magic);
    buf_char(out, KIND_REFUSED);
    buf_char(out, (char)code);
    put_str(out, str_upto(reason, utf8_floor(reason, REASON_MAX)));
}

/* ---- reading ---- */

typedef struct {
    Str rest;
    bool bad;
} Frame;

static uint32_t take_u8(Frame *f) {
    if (f->rest.n < 1) return f->bad = true, 0;
    const uint32_t v = (uint8_t)f->rest.p[0];
    f->rest = str_from(f->rest, 1);
    return v;
}

static uint32_t take_u32(Frame *f) {
    uint32_t v = 0;
    for (unsigned i = 0; i < 4; i++) v |= take_u8(f) << 8 * i;
    return v;
}

static Str take_bytes(Frame *f, size_t most) {
    const size_t n = take_u32(f);
    if (f->bad || n > most || n > f->rest.n) return f->bad = true, STR("");
    const Str s = str_upto(f->rest, n);
    f->rest = str_from(f->rest, n);
    return s;
}

/* A text of at most `most` bytes. */
static Str take_str(Frame *f, size_t most) {
    const Str s = take_bytes(f, most);
    const size_t n = s.n;
    if (!utf8_valid(s) || (n && memchr(s.p, 0, n))) f->bad = true;
    return s;
}

static bool mark_fits(const Doc *doc, const DocMark *m, const DocMark *before) {
    if ((uint64_t)m->start >= doc->text.n || m->page < 0 || (before && m->start <= before->start)) return false;
    return m->start == 0 || doc->text.p[m->start - 1] == '\n';
}

static Err marks_read(Arena *a, Frame *f, Doc *doc) {
    const size_t n = take_u32(f);
    if (f->bad || n > FLOW_MARKS_MAX || n > f->rest.n) return f->bad = true, ERR_OK;
    DocMark *marks = arena_array(a, DocMark, n + 1);
    if (!marks) return arena_error();
    for (size_t i = 0; i < n && !f->bad; i++) {
        marks[i].start = take_u32(f);
        const uint32_t page = take_u32(f);
        marks[i].page = page <= INT32_MAX ? (int32_t)page : -1;
        marks[i].titled = take_u8(f) == 1;
        marks[i].heading = take_str(f, FLOW_LEVELS * (FLOW_HEADING_MAX + 3));
        if (!mark_fits(doc, &marks[i], i ? &marks[i - 1] : NULL)) f->bad = true;
    }
    doc->marks = marks;
    doc->n_marks = n;
    return ERR_OK;
}

static bool is_line_start(Str text, int64_t at) {
    return at >= 0 && (uint64_t)at <= text.n && (at == 0 || text.p[at - 1] == '\n');
}

static Err parts_read(Arena *a, Frame *f, Doc *doc) {
    const size_t n = take_u32(f);
    if (f->bad || n > FLOW_PARTS_MAX) return f->bad = true, ERR_OK;
    DocPart *parts = arena_array(a, DocPart, n + 1);
    if (!parts) return arena_error();
    for (size_t i = 0; i < n && !f->bad; i++) {
        parts[i].start = take_u32(f);
        parts[i].bytes = take_bytes(f, FLOW_PARTS_BYTES);
        if (!is_line_start(doc->text, parts[i].start) || (i && parts[i].start < parts[i - 1].start)) f->bad = true;
    }
    doc->parts = parts;
    doc->n_parts = n;
    return ERR_OK;
}

Err wire_read(Arena *a, Str frame, Doc *doc, Err *refused, Str *reason) {
    Frame f = {.rest = str_from(frame, 4), .bad = !str_starts(frame, str_of(magic))};
    const uint32_t kind = take_u8(&f);
    *refused = ERR_OK;
    *reason = STR("");
    if (!f.bad && kind == KIND_TEXT) {
        doc->title = take_str(&f, FLOW_TEXT_MAX);
        doc->meta = take_str(&f, META_BYTES_MAX);
        if (!meta_valid(doc->meta)) f.bad = true;
        doc->text = take_str(&f, FLOW_TEXT_MAX + 1);
        doc->extracted = true;
        if (!f.bad) TRY(marks_read(a, &f, doc));
        if (!f.bad) TRY(parts_read(a, &f, doc));
    } else if (!f.bad && kind == KIND_REFUSED) {
        const uint32_t code = take_u8(&f);
        *refused = code > ERR_OK && code < ERR_COUNT ? (Err)code : ERR_INTERNAL;
        *reason = take_str(&f, REASON_MAX);
    } else {
        f.bad = true;
    }
    if (!f.bad && f.rest.n == 0) return ERR_OK;
    return err_set(ERR_CORRUPT, "the reader's answer is damaged at byte %zu", (size_t)(f.rest.p - frame.p));
}

/* read_document.h - what every reader of documents promises, checked on any bytes: it ends, and what it made is clean
 * text whose marks are in order; and the parent reads from the wire what the child wrote to it. */
#ifndef PYTHIA_TESTS_FUZZ_READ_DOCUMENT_H
#define PYTHIA_TESTS_FUZZ_READ_DOCUMENT_H

#include <stdlib.h>

#include "base/utf8.h"
#include "ingest/format.h"
#include "ingest/wire.h"

static inline void check_document(const Doc *d) {
    if (!utf8_valid(d->text) || (d->text.n && memchr(d->text.p, 0, d->text.n))) abort();
    if (d->text.n && d->text.p[d->text.n - 1] != '\n') abort();
    if (!meta_valid(d->meta)) abort();
    for (size_t i = 0; i < d->n_marks; i++) {
        const DocMark *m = &d->marks[i];
        if (m->start < (i ? d->marks[i - 1].start + 1 : 0) || (uint64_t)m->start >= d->text.n) abort();
        if (m->start && d->text.p[m->start - 1] != '\n') abort();
        if (!utf8_valid(m->heading) || m->page < 0) abort();
    }
}

static inline void check_wire(Arena *a, const Doc *d) {
    Buf frame = {0};
    Doc back = {0};
    Err refused;
    Str reason;
    wire_put_text(&frame, d);
    if (wire_read(a, buf_str(&frame), &back, &refused, &reason) || refused) abort();
    if (!str_eq(back.text, d->text) || !str_eq(back.title, d->title) || !str_eq(back.meta, d->meta) ||
        back.n_marks != d->n_marks)
        abort();
    for (size_t i = 0; i < d->n_marks; i++)
        if (back.marks[i].start != d->marks[i].start || !str_eq(back.marks[i].heading, d->marks[i].heading)) abort();
    if (back.n_parts != d->n_parts) abort();
    for (size_t i = 0; i < d->n_parts; i++)
        if (back.parts[i].start != d->parts[i].start || !str_eq(back.parts[i].bytes, d->parts[i].bytes)) abort();
    buf_free(&frame);
}

static inline void read_document(Err (*read)(Flow *f, Str bytes), Str bytes) {
    Arena a = {0};
    Flow f;
    Doc d = {0};
    flow_begin(&f, &a);
    charsets_prepare(&f.charsets, bytes);
    Err err = read(&f, bytes);
    if (!err) err = flow_end(&f, &d);
    if (!err) {
        check_document(&d);
        check_wire(&a, &d);
    } else if (!*err_text()) {
        abort(); /* a refusal has its reason */
    }
    flow_free(&f);
    arena_free(&a);
}

#endif

/* format_jupyter.c - notebooks (nbformat 3 and 4): the cells in order, Markdown as it stands with its headings, code,
 * and what code printed; pictures and other outputs are left out.
 */
#include "base/json.h"
#include "ingest/format.h"

enum { OUTPUT_MAX = 4000 }; /* bytes of one output: a log of a training run is not what a notebook says */

/* "source" is a string or a list of lines. */
static void joined(Buf *out, const json_t *v) {
    if (json_is_string(v)) buf_add_bytes(out, json_string_value(v), json_string_length(v));
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++) {
        const json_t *line = json_array_get(v, i);
        if (json_is_string(line)) buf_add_bytes(out, json_string_value(line), json_string_length(line));
    }
}

/* ATX headings are headings, all else stands. */
static void markdown_add(Flow *f, Str text) {
    bool fenced = false;
    for (Str line; str_line(&text, &line);) {
        const Str t = str_trim(line);
        size_t level = 0;
        if (str_starts(t, STR("```")) || str_starts(t, STR("~~~"))) fenced = !fenced;
        while (!fenced && level < t.n && t.p[level] == '#') level++;
        if (level > 0 && level <= 6 && level < t.n && t.p[level] == ' ') {
            flow_heading(f, (int)level, str_from(t, level));
        } else if (t.n == 0) {
            flow_paragraph(f);
        } else {
            flow_verbatim(f, line);
            flow_line(f);
        }
    }
    flow_paragraph(f);
}

static void verbatim_add(Flow *f, Str text, size_t most) {
    const bool cut = text.n > most;
    flow_verbatim(f, str_upto(text, most));
    flow_line(f);
    if (cut) {
        flow_text(f, STR("…"));
        flow_line(f);
    }
    flow_paragraph(f);
}

static void outputs_add(Flow *f, const json_t *outputs) {
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const json_t *o = json_array_get(outputs, i);
        const json_t *text = json_object_get(o, "text");
        Buf b = {0};
        if (!text) text = json_object_get(json_object_get(o, "data"), "text/plain");
        joined(&b, text);
        if (b.n) verbatim_add(f, buf_str(&b), OUTPUT_MAX);
        if (b.failed) f->failed = ERR_NOMEM;
        buf_free(&b);
    }
}

static void cell_add(Flow *f, const json_t *cell) {
    const char *type = json_string_value(json_object_get(cell, "cell_type"));
    const json_t *source = json_object_get(cell, "source");
    Buf b = {0};
    joined(&b, source ? source : json_object_get(cell, "input")); /* nbformat 3 */
    if (type && (strcmp(type, "markdown") == 0 || strcmp(type, "heading") == 0))
        markdown_add(f, buf_str(&b));
    else
        verbatim_add(f, buf_str(&b), SIZE_MAX);
    if (b.failed) f->failed = ERR_NOMEM;
    buf_free(&b);
    outputs_add(f, json_object_get(cell, "outputs"));
}

static Str string_of(const json_t *v) {
    return json_is_string(v) ? str_make(json_string_value(v), json_string_length(v)) : STR("");
}

/* nbformat's "title" and "authors": a list of objects with a name. */
static void about_read(Flow *f, const json_t *metadata) {
    const json_t *authors = json_object_get(metadata, "authors");
    const Str title = string_of(json_object_get(metadata, "title"));
    for (size_t i = 0; i < json_array_size(authors); i++)
        flow_meta(f, "author", string_of(json_object_get(json_array_get(authors, i), "name")));
    if (title.n) f->title = arena_str(f->arena, title);
    if (!f->title.p) f->failed = ERR_NOMEM, f->title = STR("");
}

Err format_jupyter(Flow *f, Str bytes) {
    json_t *v = NULL;
    TRY(json_read(bytes, "the notebook", &v));
    const json_t *cells = json_object_get(v, "cells");
    if (!cells) cells = json_object_get(json_array_get(json_object_get(v, "worksheets"), 0), "cells");
    const Err err = json_is_array(cells) ? ERR_OK : err_set(ERR_CORRUPT, "it has no cells");
    about_read(f, json_object_get(v, "metadata"));
    for (size_t i = 0; i < json_array_size(cells); i++) cell_add(f, json_array_get(cells, i));
    json_decref(v);
    return err;
}

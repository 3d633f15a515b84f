/* format_data.c - rows and records: CSV and TSV (RFC 4180, and what is written besides), and JSON lines.
 *
 * A row becomes a line that names its columns, a record one of its own that names its members, so that each is understood
 * alone. The separator is the one of comma, semicolon, tab and bar that the first line has most of, outside of quotes.
 */
#include "base/json.h"
#include "ingest/format.h"
#include "ingest/office.h"

enum { LINE_MAX_BYTES = 1 << 20, DEPTH_MAX = 8 };

/* ---- CSV ---- */

static char separator_of(Str text) {
    static const char candidates[] = ",;\t|";
    size_t counts[4] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n && (quoted || text.p[i] != '\n'); i++) {
        if (text.p[i] == '"') quoted = !quoted;
        const char *c = quoted || !text.p[i] ? NULL : strchr(candidates, text.p[i]);
        if (c) counts[c - candidates]++;
    }
    for (size_t i = 1; i < 4; i++)
        if (counts[i] > counts[best]) best = i;
    return candidates[best];
}

/* One field into cell; *rest moves behind it and its separator. False at the end of the row. */
static bool field_read(Str *rest, char separator, Buf *cell) {
    Str s = *rest;
    size_t i = 0;
    bool quoted = s.n && s.p[0] == '"';
    buf_clear(cell);
    for (i = quoted ? 1 : 0; i < s.n; i++) {
        const char c = s.p[i];
        if (quoted && c == '"' && i + 1 < s.n && s.p[i + 1] == '"') {
            buf_char(cell, '"');
            i++;
        } else if (quoted && c == '"') {
            quoted = false;
        } else if (!quoted && (c == separator || c == '\n')) {
            break;
        } else {
            buf_char(cell, c);
        }
        if (quoted && cell->n > LINE_MAX_BYTES) quoted = false; /* a quote that nobody closed */
    }
    const bool more = i < s.n && s.p[i] == separator;
    *rest = str_from(s, i < s.n ? i + 1 : i);
    return more;
}

Err format_csv(Flow *f, Str bytes) {
    Str text;
    OfficeTable table = {0};
    Buf cell = {0};
    TRY(charset_decode(&f->charsets, f->arena, bytes, STR(""), &text));
    const char separator = separator_of(text);
    office_table_begin(&table, f);
    while (text.n && !f->over && !f->failed) {
        bool more = true;
        while (more) {
            more = field_read(&text, separator, &cell);
            office_cell(&table, buf_str(&cell));
        }
        office_row(&table, false, true);
    }
    const Err err = buf_ok(&cell);
    buf_free(&cell);
    return err;
}

/* ---- JSON ---- */

static void value_write(Buf *out, const json_t *v, unsigned depth);

static void members_write(Buf *out, const json_t *object, unsigned depth) {
    const char *key;
    json_t *value;
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0)) continue;
        if (!first) buf_add_z(out, " | ");
        first = false;
        buf_add_z(out, key);
        buf_add_z(out, ": ");
        value_write(out, value, depth);
    }
}

static void value_write(Buf *out, const json_t *v, unsigned depth) {
    if (json_is_string(v)) {
        buf_add_bytes(out, json_string_value(v), json_string_length(v));
    } else if (json_is_integer(v)) {
        buf_printf(out, "%lld", (long long)json_integer_value(v));
    } else if (json_is_real(v)) {
        buf_printf(out, "%.15g", json_real_value(v));
    } else if (json_is_true(v) || json_is_false(v)) {
        buf_add_z(out, json_is_true(v) ? "true" : "false");
    } else if (json_is_array(v) && depth < DEPTH_MAX) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (i) buf_add_z(out, ", ");
            value_write(out, json_array_get(v, i), depth + 1);
        }
    } else if (json_is_object(v) && depth < DEPTH_MAX) {
        if (depth) buf_add_z(out, "(");
        members_write(out, v, depth + 1);
        if (depth) buf_add_z(out, ")");
    }
}

/* A line that is no JSON stands as it is: a log may be half of both. */
Err format_jsonl(Flow *f, Str bytes) {
    Str text, line;
    TRY(charset_decode(&f->charsets, f->arena, bytes, STR(""), &text));
    while (!f->over && !f->failed && str_line(&text, &line)) {
        json_t *v = NULL;
        Buf record = {0};
        if (str_trim(line).n == 0) continue;
        if (line.n <= LINE_MAX_BYTES && json_read(line, "a line", &v) == ERR_OK) {
            value_write(&record, v, 0);
            flow_text(f, buf_str(&record));
        } else {
            flow_text(f, line);
        }
        flow_paragraph(f);
        const Err err = buf_ok(&record);
        json_decref(v);
        buf_free(&record);
        TRY(err);
    }
    return ERR_OK;
}

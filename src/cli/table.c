/* table.c - lists as columns. */
#include "cli/table.h"

#include "base/clock.h"
#include "base/utf8.h"

static void cell_add(Buf *b, const char *cell, size_t width, bool right, bool last) {
    size_t shown = utf8_width(str_of(cell)), pad = width > shown ? width - shown : 0;
    for (size_t i = 0; right && i < pad; i++) buf_char(b, ' ');
    buf_add_z(b, cell);
    for (size_t i = 0; !right && !last && i < pad; i++) buf_char(b, ' ');
    if (!last) buf_add_z(b, "  ");
}

void table_add(Buf *b, const Term *t, const TableColumn *columns, size_t n_columns, const char *const *cells,
               size_t n_rows) {
    enum { COLUMNS_MAX = 16 };
    size_t widths[COLUMNS_MAX] = {0};
    if (n_columns > COLUMNS_MAX) n_columns = COLUMNS_MAX;
    for (size_t c = 0; c < n_columns; c++) {
        widths[c] = utf8_width(str_of(columns[c].title));
        for (size_t r = 0; r < n_rows; r++) {
            size_t width = utf8_width(str_of(cells[r * n_columns + c]));
            if (width > widths[c]) widths[c] = width;
        }
    }
    style_on(b, t, STYLE_BOLD);
    for (size_t c = 0; c < n_columns; c++)
        cell_add(b, columns[c].title, widths[c], columns[c].right, c + 1 == n_columns);
    style_off(b, t);
    buf_char(b, '\n');
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < n_columns; c++)
            cell_add(b, cells[r * n_columns + c], widths[c], columns[c].right, c + 1 == n_columns);
        buf_char(b, '\n');
    }
}

static const char *cell_take(Arena *a, Buf *b) {
    const char *z = arena_cstr(a, buf_str(b));
    buf_free(b);
    return z ? z : "";
}

const char *cell_safe(Arena *a, Str s) {
    Buf b = {0};
    safe_path(&b, s);
    return cell_take(a, &b);
}

const char *cell_number(Arena *a, int64_t v) {
    Buf b = {0};
    number_add(&b, v);
    return cell_take(a, &b);
}

const char *cell_bytes(Arena *a, int64_t v) {
    Buf b = {0};
    bytes_add(&b, v);
    return cell_take(a, &b);
}

const char *cell_time(Arena *a, int64_t wall_ms) {
    char iso[32] = "";
    if (wall_ms > 0) clock_iso(wall_ms, iso);
    const char *z = arena_cstr(a, str_of(iso));
    return z ? z : "";
}

const char *cell_seconds(Arena *a, double seconds) {
    Buf b = {0};
    seconds_add(&b, seconds);
    return cell_take(a, &b);
}

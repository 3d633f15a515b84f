/* table.h - rows of cells in columns, for lists. Cells are safe text (term.h) in the arena; "" when memory is out. */
#ifndef PYTHIA_CLI_TABLE_H
#define PYTHIA_CLI_TABLE_H

#include "base/arena.h"
#include "cli/term.h"

typedef struct {
    const char *title;
    bool right; /* numbers stand right */
} TableColumn;

/* cells: [n_rows, n_columns]; at most 16 columns. */
void table_add(Buf *b, const Term *t, const TableColumn *columns, size_t n_columns, const char *const *cells,
               size_t n_rows);

const char *cell_safe(Arena *a, Str s);
const char *cell_number(Arena *a, int64_t v);     /* "1,234" */
const char *cell_bytes(Arena *a, int64_t v);      /* "3.2 MB" */
const char *cell_time(Arena *a, int64_t wall_ms); /* ISO 8601, "" for 0 */
const char *cell_seconds(Arena *a, double seconds);

#endif

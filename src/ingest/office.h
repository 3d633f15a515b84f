/* office.h - what the office formats share: parts of a package, what one says of itself, and rows whose first one names
 * the columns. */
#ifndef PYTHIA_INGEST_OFFICE_H
#define PYTHIA_INGEST_OFFICE_H

#include "ingest/flow.h"
#include "ingest/xml.h"
#include "ingest/zip.h"

/* Opens the package; what is encrypted by a password is no zip archive but a compound file, and told so. */
MUST_USE Err office_open(Arena *a, Str bytes, Zip *out);

/* What an element of a part that is about the document means: a name of base/meta.h; NULL: the title. */
typedef struct {
    const char *element, *name;
} OfficeAbout;
extern const OfficeAbout office_about_core[]; /* of docProps/core.xml; the last one has no element */
/* Title (unless there is one) and metadata of the flow from such a part. What is wrong with it is not worth a word. */
void office_about(Flow *f, Zip *z, const char *part, const OfficeAbout *means);

/* A part, or ERR_CORRUPT naming it when it is not there. */
MUST_USE Err office_part(Arena *a, Zip *z, const char *part, Str *out);

/* What a part is related to, with paths in the package. A part without relations has none. */
typedef struct {
    Str id, type, path;
} OfficeRelation;
MUST_USE Err office_relations(Arena *a, Zip *z, Str part, OfficeRelation **out, size_t *n);
/* The path of a relation by its id, or of the first whose type ends so; {NULL, 0} when there is none. */
Str office_related(const OfficeRelation *all, size_t n, Str id);
Str office_related_by_type(const OfficeRelation *all, size_t n, const char *type_end);

/* path as a link in a part of folder means it: percent-escapes, "./" and "../" resolved, what stands behind '#' cut
 * off; in the arena. */
Str office_path(Arena *a, Str folder, Str path);

/* A table on its way into a flow. The first row names the columns when it looks like it: two or more short cells, none
 * empty; told to be one (header) it does so anyway. */
typedef struct {
    Flow *f;
    Str cells[FLOW_COLUMNS_MAX];
    size_t n;
    Str *headers;
    size_t n_headers;
    size_t rows;
} OfficeTable;

void office_table_begin(OfficeTable *t, Flow *f);
void office_cell(OfficeTable *t, Str text); /* copied; more than FLOW_COLUMNS_MAX are dropped */
/* maybe: the first row may be a header. */
void office_row(OfficeTable *t, bool header, bool maybe);

#endif

/* format_xlsx.c - Excel's workbooks (ECMA-376, SpreadsheetML): a sheet is a heading, a row a line, with the names of
 * its columns where the first row gives them. Numbers that are formatted as dates are shown as dates.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/format.h"
#include "ingest/office.h"

enum { STRINGS_MAX = 4000000, FORMATS_MAX = 65536, CUSTOM_FROM = 164 };

typedef struct {
    Flow *f;
    Arena *a;
    Zip zip;
    Buf strings; /* Str[n_strings]: texts that cells share */
    size_t n_strings;
    Buf dates; /* bool[n_formats]: is a cell's format one of dates? */
    size_t n_formats;
    bool from_1904;
    OfficeTable table;
} Xlsx;

/* ---- shared texts ---- */

/* The texts within the element just opened, without phonetic ones. */
static Err texts_within(Arena *a, Xml *x, Str *out) {
    const unsigned above = x->depth - 1;
    XmlEvent event;
    Buf b = {0};
    bool text = false;
    Err err = ERR_OK;
    while (x->depth > above && !(err = xml_next(x, &event)) && event != XML_END) {
        if (event == XML_TEXT && text) xml_decode(&b, x->text, x->literal);
        text = event == XML_OPEN ? str_is(x->name, "t") : text && event == XML_TEXT;
        if (event == XML_OPEN && str_is(x->name, "rPh") && (err = xml_skip(x))) break;
    }
    if (!err) err = buf_ok(&b);
    if (!err) {
        *out = arena_str(a, buf_str(&b));
        if (!out->p) err = arena_error();
    }
    buf_free(&b);
    return err;
}

static Err strings_read(Xlsx *w) {
    Str bytes, text;
    Xml x;
    XmlEvent event;
    TRY(zip_read_named(w->a, &w->zip, STR("xl/sharedStrings.xml"), &bytes));
    if (!bytes.p) return ERR_OK;
    TRY(xml_open(w->a, bytes, "xl/sharedStrings.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END || w->n_strings == STRINGS_MAX) return buf_ok(&w->strings);
        if (event != XML_OPEN || !str_is(x.name, "si")) continue;
        TRY(texts_within(w->a, &x, &text));
        buf_add_bytes(&w->strings, &text, sizeof text);
        w->n_strings++;
    }
}

/* ---- dates ---- */

/* A format's code speaks of days or hours outside of quotes, brackets and escapes. */
static bool code_is_date(Str code) {
    char within = 0;
    for (size_t i = 0; i < code.n; i++) {
        const char c = code.p[i];
        if (within) {
            if (c == within) within = 0;
        } else if (c == '"' || c == '[') {
            within = c == '[' ? ']' : '"';
        } else if (c == '\\' || c == '_') {
            i++;
        } else if (strchr("yYdDhH", c ? c : '0')) {
            return true;
        }
    }
    return false;
}

static bool number_is_date(int64_t format) { return (format >= 14 && format <= 22) || (format >= 45 && format <= 47); }

static Err styles_read(Xlsx *w) {
    bool *custom = arena_array(w->a, bool, FORMATS_MAX);
    Str bytes;
    Xml x;
    XmlEvent event;
    bool cells = false;
    if (!custom) return arena_error();
    TRY(zip_read_named(w->a, &w->zip, STR("xl/styles.xml"), &bytes));
    if (!bytes.p) return ERR_OK;
    TRY(xml_open(w->a, bytes, "xl/styles.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return buf_ok(&w->dates);
        if (event != XML_TEXT && str_is(x.name, "cellXfs")) cells = event == XML_OPEN;
        if (event != XML_OPEN) continue;
        const int64_t id = xml_attr_int(&x, "numFmtId", 0);
        if (id < 0 || id >= FORMATS_MAX) continue;
        if (str_is(x.name, "numFmt")) {
            const Str code = xml_decoded(w->a, xml_attr(&x, "formatCode"));
            custom[id] = code.p && code_is_date(code);
        }
        if (str_is(x.name, "xf") && cells && w->n_formats < FORMATS_MAX) {
            const bool date = id >= CUSTOM_FROM ? custom[id] : number_is_date(id);
            buf_add_bytes(&w->dates, &date, sizeof date);
            w->n_formats++;
        }
    }
}

/* Days since 1970 as a civil date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static void civil(int64_t days, int *year, int *month, int *day) {
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

/* Excel's days: 25,569 is 1970-01-01, since it holds 1900 for a leap year. */
static Str date_text(const Xlsx *w, double serial) {
    const double days = floor(serial);
    int year, month, day;
    const int minutes = (int)floor((serial - days) * 1440 + 0.5);
    civil((int64_t)days - 25569 + (w->from_1904 ? 1462 : 0), &year, &month, &day);
    if (days < 1) return arena_printf(w->a, "%02d:%02d", minutes / 60, minutes % 60);
    if (minutes == 0) return arena_printf(w->a, "%04d-%02d-%02d", year, month, day);
    return arena_printf(w->a, "%04d-%02d-%02d %02d:%02d", year, month, day, minutes / 60, minutes % 60);
}

/* ---- cells ---- */

/* 0 for "A1", 27 for "AB7"; otherwise when it names none. */
static size_t column_of(Str reference, size_t otherwise) {
    size_t column = 0, i = 0;
    for (; i < reference.n && i < 3 && reference.p[i] >= 'A' && reference.p[i] <= 'Z'; i++)
        column = column * 26 + (size_t)(reference.p[i] - 'A') + 1;
    return i ? column - 1 : otherwise;
}

static Str cell_text(const Xlsx *w, Str type, int64_t format, Str value) {
    int64_t at = 0;
    double number = 0;
    if (str_is(type, "s")) {
        if (!str_to_i64(value, &at) || at < 0 || (uint64_t)at >= w->n_strings) return STR("");
        return ((const Str *)(const void *)w->strings.p)[at];
    }
    if (str_is(type, "b")) return str_is(value, "1") ? STR("TRUE") : STR("FALSE");
    if (type.n && !str_is(type, "n")) return value;
    if (!str_to_f64(value, &number)) return value;
    const bool date =
        format >= 0 && (uint64_t)format < w->n_formats && ((const bool *)(const void *)w->dates.p)[format];
    if (date && number >= 0 && number < 3000000) return date_text(w, number);
    return arena_printf(w->a, "%.15g", number); /* as Excel shows it, not the double's last digits */
}

/* The cell just opened, up to its end. */
static Err cell_read(Xlsx *w, Xml *x) {
    const Str reference = xml_attr(x, "r"), type = xml_attr(x, "t");
    const int64_t format = xml_attr_int(x, "s", -1);
    const unsigned above = x->depth - 1;
    const size_t column = column_of(reference, w->table.n);
    XmlEvent event;
    Str text = STR("");
    bool value = false;
    while (x->depth > above) {
        TRY(xml_next(x, &event));
        if (event == XML_END) break;
        if (event == XML_TEXT && value) {
            const Str decoded = xml_decoded(w->a, x->text);
            if (!decoded.p) return arena_error();
            text = cell_text(w, type, format, str_trim(decoded));
            if (!text.p) return arena_error();
        }
        value = event == XML_OPEN && str_is(x->name, "v");
        if (event == XML_OPEN && str_is(x->name, "is")) TRY(texts_within(w->a, x, &text));
    }
    while (w->table.n < column && w->table.n < FLOW_COLUMNS_MAX) office_cell(&w->table, STR(""));
    office_cell(&w->table, text);
    return ERR_OK;
}

static Err sheet_read(Xlsx *w, Str name, Str path) {
    Str bytes;
    Xml x;
    XmlEvent event;
    const char *part = arena_cstr(w->a, path);
    if (!part) return arena_error();
    TRY(zip_read_named(w->a, &w->zip, path, &bytes));
    if (!bytes.p) return ERR_OK; /* a chart sheet, or one that was lost */
    flow_heading(w->f, 1, name);
    office_table_begin(&w->table, w->f);
    TRY(xml_open(w->a, bytes, part, &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return ERR_OK;
        if (event == XML_OPEN && str_is(x.name, "c")) TRY(cell_read(w, &x));
        if (event == XML_CLOSE && str_is(x.name, "row")) office_row(&w->table, false, true);
    }
}

static Err sheets_read(Xlsx *w) {
    OfficeRelation *relations;
    size_t n;
    Str bytes;
    Xml x;
    XmlEvent event;
    TRY(office_part(w->a, &w->zip, "xl/workbook.xml", &bytes));
    TRY(office_relations(w->a, &w->zip, STR("xl/workbook.xml"), &relations, &n));
    TRY(xml_open(w->a, bytes, "xl/workbook.xml", &x));
    for (;;) {
        TRY(xml_next(&x, &event));
        if (event == XML_END) return ERR_OK;
        if (event != XML_OPEN) continue;
        if (str_is(x.name, "workbookPr")) w->from_1904 = str_is(xml_attr(&x, "date1904"), "1");
        if (!str_is(x.name, "sheet")) continue;
        const Str name = xml_decoded(w->a, xml_attr(&x, "name")),
                  path = office_related(relations, n, xml_attr(&x, "id"));
        if (!name.p) return arena_error();
        if (path.p) TRY(sheet_read(w, name, path));
    }
}

Err format_xlsx(Flow *f, Str bytes) {
    Xlsx w = {.f = f, .a = f->arena};
    Err err = office_open(w.a, bytes, &w.zip);
    if (!err) err = strings_read(&w);
    if (!err) err = styles_read(&w);
    if (!err) office_about(f, &w.zip, "docProps/core.xml", office_about_core);
    if (!err) err = sheets_read(&w);
    buf_free(&w.strings);
    buf_free(&w.dates);
    return err;
}

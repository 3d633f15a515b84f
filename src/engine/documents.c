/* documents.c - the engine's side of reading documents: from the configuration to what ingest is handed. */
#include "engine/engine.h"

bool pythia_reader_main(int argc, char **argv, int *code) {
    if (argc < 2 || strcmp(argv[1], CHILD_WORD) != 0) return false;
    *code = child_main(argc, argv, NULL, 0);
    return true;
}

ReadOpts engine_read_opts(const Pythia *p, const IndexSettings *s, const Deadline *stop) {
    const Config *c = p->opts.config;
    ReadOpts out = settings_read_opts(s);
    out.documents = (DocumentOpts){.child = {.program = p->opts.reader,
                                             .readers = p->readers,
                                             .memory = config_int(c, CONF_DOCUMENTS_MEMORY),
                                             .timeout_ms = config_int(c, CONF_DOCUMENTS_TIMEOUT),
                                             .stop = stop},
                                   .max_size = config_int(c, CONF_DOCUMENTS_MAX_FILE_SIZE),
                                   .pdf = {.ocr = config_bool(c, CONF_DOCUMENTS_OCR),
                                           .ocr_pages = config_int(c, CONF_DOCUMENTS_OCR_PAGES),
                                           .languages = config_text(c, CONF_DOCUMENTS_OCR_LANGUAGES).p}};
    return out;
}

Err engine_readers(const Pythia *p, Arena *a, Str *out) {
    static const ConfigKey keys[] = {CONF_DOCUMENTS_MAX_FILE_SIZE, CONF_DOCUMENTS_MEMORY,
                                     CONF_DOCUMENTS_TIMEOUT,       CONF_DOCUMENTS_OCR,
                                     CONF_DOCUMENTS_OCR_PAGES,     CONF_DOCUMENTS_OCR_LANGUAGES};
    static const char *const programs[] = {"pdftotext", "tesseract"};
    Buf b = {0};
    buf_printf(&b, "v%d %s", DOCUMENT_READERS_VERSION, p->opts.reader ? "child" : "none");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const Str value = config_text(p->opts.config, keys[i]);
        buf_printf(&b, " %s=%.*s", config_defs[keys[i]].key, STR_FMT(value));
    }
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (pdf_program(a, programs[i])) buf_printf(&b, " %s", programs[i]);
    Err err = buf_ok(&b);
    if (!err) *out = arena_str(a, buf_str(&b));
    if (!err && !out->p) err = arena_error();
    buf_free(&b);
    return err;
}

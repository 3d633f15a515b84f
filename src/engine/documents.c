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
                                             .memory = config_int(c, CONF_DOCUMENTS_MEMORY),
                                             .timeout_ms = config_int(c, CONF_DOCUMENTS_TIMEOUT),
                                             .stop = stop},
                                   .max_size = config_int(c, CONF_DOCUMENTS_MAX_FILE_SIZE)};
    return out;
}

Err engine_readers(const Pythia *p, Arena *a, Str *out) {
    const Config *c = p->opts.config;
    *out =
        arena_printf(a, "v%d %s size=%lld memory=%lld timeout=%lld", DOCUMENT_READERS_VERSION,
                     p->opts.reader ? "child" : "none", (long long)config_int(c, CONF_DOCUMENTS_MAX_FILE_SIZE),
                     (long long)config_int(c, CONF_DOCUMENTS_MEMORY), (long long)config_int(c, CONF_DOCUMENTS_TIMEOUT));
    return out->p ? ERR_OK : arena_error();
}

/* feedback.c - what people made of hits: which chunk was meant is told by its id or place, as `similar` takes them, and
 * kept by its document, lines and hash, so that it is found again after the next `index`. */
#include "engine/managed_job.h"

enum { QUERY_BYTES_MAX = 4096 };

const char *const pythia_verdict_names[PYTHIA_VERDICTS] = {"clicked", "useful", "useless"};

bool pythia_is_hit_id(Str place) {
    int64_t chunk;
    return chunk_id_read(place, &chunk);
}

Err pythia_feedback(Pythia *p, Arena *a, const PythiaFeedback *rq) {
    Store *s = NULL;
    StoreCollection c;
    StoreChunk chunk;
    const Str query = str_trim(rq->query);
    if (query.n == 0) return err_set(ERR_USAGE, "feedback wants the query that was asked");
    if (query.n > QUERY_BYTES_MAX) return err_set(ERR_LIMIT, "a query of %zu bytes is too long to be kept", query.n);
    TRY(engine_store(p, false, &s));
    TRY(engine_chunk_at(p, a, s, rq->collection, rq->place, &c, &chunk));
    TRY(engine_store(p, true, &s));
    const StoreFeedback row = {.collection = c.id,
                               .at_ms = clock_wall_ms(),
                               .query = query,
                               .path = chunk.path,
                               .start_line = chunk.start_line,
                               .end_line = chunk.end_line,
                               .hash = chunk.hash,
                               .verdict = (FeedbackVerdict)rq->verdict};
    return store_feedback_put(s, &row);
}

Err pythia_feedbacks(Pythia *p, Arena *a, Str collection, size_t limit, PythiaFeedbackRow **out, size_t *n) {
    Store *s = NULL;
    StoreCollection c;
    StoreFeedback *rows = NULL;
    *n = 0;
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, collection, &c));
    TRY(store_feedbacks(s, a, c.id, limit < STORE_FEEDBACK_MAX ? limit : STORE_FEEDBACK_MAX, &rows, n));
    *out = arena_array(a, PythiaFeedbackRow, *n);
    if (!*out) return arena_error();
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (PythiaFeedbackRow){.query = rows[i].query,
                                        .collection = c.name,
                                        .path = rows[i].path,
                                        .start_line = rows[i].start_line,
                                        .end_line = rows[i].end_line,
                                        .verdict = (PythiaVerdict)rows[i].verdict,
                                        .at_ms = rows[i].at_ms};
    return ERR_OK;
}

Err pythia_feedback_clear(Pythia *p, Arena *a, Str collection, int64_t *n) {
    Store *s = NULL;
    StoreCollection c;
    TRY(engine_store(p, true, &s));
    TRY(engine_find_collection(p, s, a, collection, &c));
    return store_feedback_clear(s, c.id, n);
}

/* ops_feedback.c - what people made of hits: kept for evaluation (`pythia eval init --from feedback`), never used for
 * ranking. */
#include "serve/ops_fields.h"
#include "serve/reply.h"

const Field feedback_fields[] = {
    {.name = "query", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 4096, .help = "what was asked"},
    {.name = "id", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 4096, .help = "of the hit"},
    {.name = "verdict",
     .types = FIELD_STR,
     .values = "clicked|useful|useless",
     .standard = "\"useful\"",
     .help = "what became of it"},
    {0}};
const Field feedbacks_fields[] = {
    {.name = "collection", .types = FIELD_STR, .flags = FIELD_REQUIRED, .max_bytes = 512, .help = "its name"},
    {.name = "limit",
     .types = FIELD_INT,
     .min = 1,
     .max = 10000,
     .standard = "100",
     .help = "rows at most, the newest first"},
    {0}};
static const Field feedback_item[] = {
    STR_FIELD("query"),    STR_FIELD("collection"), STR_FIELD("path"), INT_FIELD("start_line"),
    INT_FIELD("end_line"), STR_FIELD("verdict"),    STR_OR_NULL("at"), {0}};
const Field feedbacks_reply[] = {OK_FIELD, {.name = "feedback", .types = FIELD_OBJECTS, .members = feedback_item}, {0}};

Err op_feedback(Call *c, JsonOut *j) {
    const Str verdict = field_str(c->params, "verdict", "useful");
    PythiaFeedback rq = {
        .query = field_str(c->params, "query", ""), .place = field_str(c->params, "id", ""), .collection = STR("")};
    (void)j;
    for (int i = 0; i < PYTHIA_VERDICTS; i++)
        if (str_is(verdict, pythia_verdict_names[i])) rq.verdict = (PythiaVerdict)i;
    if (!pythia_is_hit_id(rq.place))
        return err_set(ERR_USAGE, "'id' is no hit's: '%.*s'", STR_FMT(str_upto(rq.place, 100)));
    return pythia_feedback(c->engine, c->arena, &rq);
}

Err op_feedbacks(Call *c, JsonOut *j) {
    PythiaFeedbackRow *rows = NULL;
    size_t n = 0;
    TRY(pythia_feedbacks(c->engine, c->arena, field_str(c->params, "collection", ""),
                         (size_t)field_i64(c->params, "limit", 100), &rows, &n));
    reply_feedback_member(j, rows, n);
    return ERR_OK;
}

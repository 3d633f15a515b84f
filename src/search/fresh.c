/* fresh.c - is what was indexed still there? Each hit is compared with the file as it is now, by the hash of its text.
 *
 * The text of a chunk is not kept anywhere, so a chunk that moved has to be found by its hash, at every place where it
 * could begin. Hashing a span at each line of a large file would cost tens of milliseconds; but a chunk begins and
 * ends with lines, and its length in bytes and in lines is known: a place where so many lines do not have so many
 * bytes is ruled out by one subtraction. What is left is tried nearest first, within a budget. Spans that begin or end
 * inside a line (a line too long for one chunk) are found when the whole file moved by the same number of bytes, or by
 * the second, looser pass.
 */
#include "search/fresh.h"

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "search/symbol.h"

const char *freshness_name(Freshness f) {
    static const char *const names[] = {"fresh", "moved", "changed", "gone"};
    return names[f];
}

/* ---- reading ---- */

/* The file's path with links resolved; NULL when it lies outside root now, or its folder is gone. */
static Err file_of(Arena *a, Str root, Str path, const char **out) {
    const char *root_z = arena_cstr(a, root), *path_z = arena_cstr(a, path), *real_root = NULL;
    *out = NULL;
    if (!root_z || !path_z) return arena_error();
    const char *full = path_join(a, root_z, path_z);
    if (!full) return arena_error();
    if (path_real(a, root_z, &real_root) || path_real(a, full, out)) {
        *out = NULL;
        return ERR_OK;
    }
    if (!path_within(str_of(*out), str_of(real_root))) *out = NULL;
    return ERR_OK;
}

/* A text that was made from a file (a PDF's) is shown as it was kept, which is right as long as the file is the same:
 * by size and time, and when those differ by its hash. */
static Err kept_check(Arena *scratch, Str root, const StoreChunk *c, LiveText *out) {
    const char *path = NULL;
    FileInfo info;
    Sha256 now;
    if (root.n == 0 || !str_starts(c->uri, STR("file://"))) return ERR_OK;
    TRY(file_of(scratch, root, c->path, &path));
    if (!path || file_info(path, true, &info) || info.type != FILE_REGULAR) return out->present = false, ERR_OK;
    if (info.size == c->size && info.mtime_ns == c->mtime_ns) return ERR_OK;
    out->outdated = info.size != c->size || sha256_file(path, &now) || memcmp(&now, &c->doc_sha256, sizeof now) != 0;
    return ERR_OK;
}

Err live_read(Arena *scratch, Store *s, Str root, const StoreChunk *c, LiveText *out) {
    const char *path = NULL;
    FileInfo info;
    Str bytes;
    *out = (LiveText){.text = STR("")};
    if (c->has_text) {
        out->present = out->kept = out->readable = true;
        TRY(kept_check(scratch, root, c, out));
        return out->present ? store_text(s, scratch, c->doc_id, &out->text) : ERR_OK;
    }
    if (root.n == 0) return ERR_OK;
    TRY(file_of(scratch, root, c->path, &path));
    if (!path || file_info(path, true, &info) || info.type != FILE_REGULAR) return ERR_OK;
    out->growth = info.size - c->size;
    out->untouched = out->growth == 0 && info.mtime_ns == c->mtime_ns;
    Err err = file_read(scratch, path, FRESH_FILE_MAX, &bytes);
    if (err == ERR_NOMEM) return err;
    out->present = !err || err == ERR_LIMIT;
    out->readable = !err;
    return err ? ERR_OK : text_decode(scratch, bytes, &out->text);
}

/* ---- finding ---- */

static Err lines_make(Arena *a, LiveText *live) {
    if (live->lines) return ERR_OK;
    size_t n = 1;
    for (const char *p = live->text.p, *end = p + live->text.n; (p = memchr(p, '\n', (size_t)(end - p))); p++) n++;
    live->lines = arena_array(a, uint32_t, n + 1);
    if (!live->lines) return arena_error();
    size_t at = 0;
    live->lines[at++] = 0;
    for (size_t i = 0; i < live->text.n; i++)
        if (live->text.p[i] == '\n') live->lines[at++] = (uint32_t)(i + 1);
    live->n_lines = at > 1 && live->lines[at - 1] == live->text.n ? at - 1 : at; /* no line behind the last "\n" */
    live->lines[live->n_lines] = (uint32_t)live->text.n;
    return ERR_OK;
}

static int32_t line_number(Str text, size_t at) {
    int32_t n = 1;
    for (const char *p = text.p, *end = p + at; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++) n++;
    return n;
}

static bool same_at(Str text, size_t at, size_t len, const ChunkHash *hash) {
    if (len > text.n || at > text.n - len) return false;
    ChunkHash live = chunk_hash_of(str_make(text.p + at, len));
    return memcmp(live.bytes, hash->bytes, sizeof live.bytes) == 0;
}

typedef struct {
    const LiveText *live;
    const StoreChunk *c;
    size_t len, more_lines; /* of the chunk; lines behind its first */
    size_t budget;
    size_t at; /* where it was found */
} Hunt;

/* Could the chunk stand at line i? strict: it ends with a line; else it ends somewhere in its last line. */
static bool fits_line(const Hunt *h, size_t i, bool strict) {
    const LiveText *live = h->live;
    if (h->more_lines >= live->n_lines - i) return false;
    size_t end = live->lines[i] + h->len, last = live->lines[i + h->more_lines],
           next = live->lines[i + h->more_lines + 1];
    if (end <= last || end > next) return false;
    if (!strict) return true;
    for (size_t k = end; k < next; k++)
        if (live->text.p[k] != '\r' && live->text.p[k] != '\n') return false;
    return true;
}

static bool try_line(Hunt *h, size_t i, bool strict) {
    if (!fits_line(h, i, strict) || h->budget < h->len) return false;
    h->budget -= h->len;
    if (!same_at(h->live->text, h->live->lines[i], h->len, &h->c->hash)) return false;
    h->at = h->live->lines[i];
    return true;
}

/* Lines nearest to where the chunk was come first. */
static bool hunt_lines(Hunt *h, bool strict) {
    size_t n = h->live->n_lines, was = h->c->start_line > 0 ? (size_t)h->c->start_line - 1 : 0;
    if (was >= n) was = n - 1;
    for (size_t d = 0; d < n && h->budget >= h->len; d++) {
        if (d <= was && try_line(h, was - d, strict)) return true;
        if (d > 0 && d < n - was && try_line(h, was + d, strict)) return true;
    }
    return false;
}

static Err hunt(Arena *scratch, LiveText *live, const StoreChunk *c, bool *found, size_t *at) {
    Hunt h = {.live = live, .c = c, .len = (size_t)(c->end - c->start), .budget = FRESH_HASH_BYTES};
    h.more_lines = c->end_line > c->start_line ? (size_t)(c->end_line - c->start_line) : 0;
    *found = false;
    if (h.len == 0 || h.len > live->text.n) return ERR_OK;
    /* One edit before the chunk, nothing else: it moved by as much as the file grew. */
    int64_t shifted = c->start + live->growth;
    *found = shifted >= 0 && same_at(live->text, (size_t)shifted, h.len, &c->hash);
    *at = (size_t)shifted;
    if (*found) return ERR_OK;
    TRY(lines_make(scratch, live));
    *found = hunt_lines(&h, true) || hunt_lines(&h, false);
    *at = h.at;
    return ERR_OK;
}

/* The lines that stand now where the chunk stood. */
static Err lines_at_place(Arena *scratch, LiveText *live, const StoreChunk *c, Str *content) {
    TRY(lines_make(scratch, live));
    size_t first = c->start_line > 0 ? (size_t)c->start_line - 1 : 0;
    size_t behind = c->end_line > 0 ? (size_t)c->end_line : 0;
    if (behind > live->n_lines) behind = live->n_lines;
    *content = first < behind ? str_make(live->text.p + live->lines[first], live->lines[behind] - live->lines[first])
                              : STR("");
    return ERR_OK;
}

static void move_to(const LiveText *live, StoreChunk *c, size_t at, size_t len) {
    int32_t line = line_number(live->text, at);
    c->end_line += line - c->start_line;
    c->start_line = line;
    c->start = (int64_t)at;
    c->end = (int64_t)(at + len);
}

Err live_place(Arena *scratch, LiveText *live, StoreChunk *c, Freshness *fresh, Str *content) {
    *fresh = FRESH_GONE;
    *content = STR("");
    if (!live->present) return ERR_OK;
    *fresh = FRESH_CHANGED;
    if (!live->readable) return ERR_OK;
    if (c->start < 0 || c->end < c->start)
        return err_set(ERR_CORRUPT, "chunk %lld of '%.*s' has a span that cannot be", (long long)c->chunk_id,
                       STR_FMT(c->path));
    size_t at = (size_t)c->start, len = (size_t)(c->end - c->start);
    bool found = same_at(live->text, at, len, &c->hash), same_place = found;
    if (!found && live->kept)
        return err_set(ERR_CORRUPT, "the kept text of '%.*s' does not hold chunk %lld", STR_FMT(c->uri),
                       (long long)c->chunk_id);
    if (!found) TRY(hunt(scratch, live, c, &found, &at));
    if (!found) return lines_at_place(scratch, live, c, content);
    *content = str_make(live->text.p + at, len);
    if (live->outdated) return ERR_OK; /* changed; what it said when it was indexed is the best there is */
    *fresh = FRESH;
    if (same_place && (live->kept || live->untouched)) return ERR_OK;
    int32_t before = c->start_line;
    move_to(live, c, at, len);
    if (!same_place || c->start_line != before) *fresh = FRESH_MOVED;
    return ERR_OK;
}

/* ---- hits ---- */

static Err place_copied(Arena *a, Arena *scratch, LiveText *live, StoreChunk *c, Freshness *fresh, Str *content) {
    Str in_scratch;
    TRY(live_place(scratch, live, c, fresh, &in_scratch));
    *content = arena_str(a, in_scratch);
    return content->p ? ERR_OK : arena_error();
}

static int32_t breaks_in(Str s) {
    int32_t n = 0;
    for (const char *p = s.p, *end = p + s.n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++) n++;
    return n;
}

/* The same, widened to bytes [start, end) of the text as it was indexed, when the chunk is still there: what is around
 * it has moved as it has. A first line keeps its indentation. */
static Err place_whole(Arena *a, Arena *scratch, Store *s, LiveText *live, SearchHit *h, FillWidth width) {
    int64_t start = 0, end = 0;
    StoreChunk *c = &h->chunk;
    const int64_t before = c->start, size = (int64_t)live->text.n;
    TRY(symbol_span(s, scratch, c, &start, &end));
    TRY(place_copied(a, scratch, live, c, &h->freshness, &h->content));
    if (h->freshness != FRESH && h->freshness != FRESH_MOVED) return ERR_OK;
    start += c->start - before, end += c->start - before;
    if (width == FILL_WHOLE && start > c->start) start = c->start;
    if (width == FILL_WHOLE && end < c->end) end = c->end;
    if (start < 0 || end > size || end <= start) return ERR_OK;
    while (start > 0 && (live->text.p[start - 1] == ' ' || live->text.p[start - 1] == '\t')) start--;
    c->start_line = line_number(live->text, (size_t)start);
    c->end_line = c->start_line + breaks_in(str_make(live->text.p + start, (size_t)(end - start)));
    c->start = start, c->end = end;
    h->content = arena_str(a, str_make(live->text.p + start, (size_t)(end - start)));
    return h->content.p ? ERR_OK : arena_error();
}

void hit_narrow(SearchHit *h, int64_t from, int64_t to) {
    const int64_t n = (int64_t)h->content.n;
    if ((h->freshness != FRESH && h->freshness != FRESH_MOVED) || from < 0 || to > n || from >= to) return;
    while (from > 0 && (h->content.p[from - 1] == ' ' || h->content.p[from - 1] == '\t')) from--; /* its indentation */
    const Str all = h->content;
    h->content = str_make(all.p + from, (size_t)(to - from));
    h->chunk.start += from;
    h->chunk.end = h->chunk.start + (to - from);
    h->chunk.start_line += breaks_in(str_upto(all, (size_t)from));
    h->chunk.end_line = h->chunk.start_line + breaks_in(h->content);
}

Err chunk_live(Arena *a, Store *s, Str root, StoreChunk *c, Freshness *fresh, Str *content) {
    Arena scratch = {0};
    LiveText live;
    Err err = live_read(&scratch, s, root, c, &live);
    if (!err) err = place_copied(a, &scratch, &live, c, fresh, content);
    arena_free(&scratch);
    return err;
}

Err live_docs_begin(LiveDocs *d, Arena *arena, Store *s, Str root, size_t room) {
    *d = (LiveDocs){.arena = arena, .store = s, .root = root, .docs = arena_array(arena, LiveDoc, room)};
    return d->docs ? ERR_OK : arena_error();
}

static Err doc_of(LiveDocs *d, const StoreChunk *c, LiveText **out) {
    for (size_t i = 0; i < d->n; i++)
        if (d->docs[i].id == c->doc_id) return *out = &d->docs[i].live, ERR_OK;
    LiveDoc *doc = &d->docs[d->n];
    TRY(live_read(d->arena, d->store, d->root, c, &doc->live));
    doc->id = c->doc_id;
    d->n++;
    *out = &doc->live;
    return ERR_OK;
}

Err live_docs_place(LiveDocs *d, StoreChunk *c, Freshness *fresh, Str *out) {
    LiveText *live;
    TRY(doc_of(d, c, &live));
    return live_place(d->arena, live, c, fresh, out);
}

Err live_docs_text(LiveDocs *d, StoreChunk *c, Str *out) {
    Freshness fresh;
    Str content;
    *out = (Str){NULL, 0};
    TRY(live_docs_place(d, c, &fresh, &content));
    if (fresh == FRESH || fresh == FRESH_MOVED) *out = content;
    return ERR_OK;
}

Err fresh_fill(Arena *a, const SearchSource *sources, const uint32_t *source_of, SearchHit *hits, size_t n,
               FillWidth width) {
    Arena scratch = {0};
    Err err = ERR_OK;
    bool *done = arena_array(a, bool, n + 1);
    if (!done) return arena_error();
    for (size_t i = 0; !err && i < n; i++) {
        if (done[i]) continue;
        const SearchSource *s = &sources[source_of[i]];
        LiveText live;
        arena_reset(&scratch);
        err = live_read(&scratch, s->store, s->collection->root, &hits[i].chunk, &live);
        for (size_t k = i; !err && k < n; k++) {
            if (source_of[k] != source_of[i] || hits[k].chunk.doc_id != hits[i].chunk.doc_id) continue;
            err = width ? place_whole(a, &scratch, s->store, &live, &hits[k], width)
                        : place_copied(a, &scratch, &live, &hits[k].chunk, &hits[k].freshness, &hits[k].content);
            done[k] = true;
        }
    }
    arena_free(&scratch);
    return err;
}

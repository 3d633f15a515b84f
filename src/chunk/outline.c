/* outline.c - the parse, and one walk over the tree that finds borders, definitions and names.
 *
 * The walk is in order of the text, with a cursor and a stack of levels of its own. For each line the outermost node
 * that begins at its first character says what the line is (its item); lists, which are no more than their children,
 * are passed over. A run of comments or attributes with no blank line before a definition belongs to it, as does what
 * is wrapped around it.
 */
#include "chunk/outline.h"

#include <stdlib.h>

#include "base/clock.h"

enum {
    READ_BLOCK = 16384,    /* bytes that the lexer is handed at a time: what it looks at again is counted in these */
    READS_PER_BLOCK = 200, /* and 2,000 more; ordinary texts need one or two */
    READS_LEAST = 2000,
    BYTES_A_CHECK = 8, /* one check, a hundred steps of the parser, to so many bytes; ordinary texts need 1 to 60 */
    CHECKS_LEAST = 2000,
    CHECKS_A_CLOCK = 64, /* asking the processor's clock is a call of the system: at each check 7 % of the parse */
    PATH_MAX_BYTES = 400,
    NO_ROW = UINT32_MAX,
};

/* ---- the parse ---- */

typedef struct {
    Str text;
    size_t reads_left, checks_left;
    int64_t cpu_end; /* clock_cpu_ns */
} Budget;

static const char *read_block(void *payload, uint32_t at, TSPoint position, uint32_t *n) {
    Budget *b = payload;
    (void)position;
    const bool more = at < b->text.n && b->reads_left > 0;
    if (b->reads_left) b->reads_left--;
    const size_t rest = more ? b->text.n - at : 0;
    *n = (uint32_t)(rest < READ_BLOCK ? rest : READ_BLOCK);
    return more ? b->text.p + at : "";
}

static bool check_budget(TSParseState *state) {
    Budget *b = state->payload;
    if (b->reads_left == 0 || b->checks_left == 0) return true;
    if (b->checks_left % CHECKS_A_CLOCK == 0 && clock_cpu_ns() > b->cpu_end) return true;
    b->checks_left--;
    return false;
}

/* *tree NULL: the budget was used up. */
static Err parse(const Grammar *g, Str text, TSTree **tree) {
    Budget budget = {.text = text,
                     .reads_left = READS_LEAST + (text.n / READ_BLOCK + 1) * READS_PER_BLOCK,
                     .checks_left = CHECKS_LEAST + text.n / BYTES_A_CHECK,
                     .cpu_end = clock_cpu_ns() + (int64_t)OUTLINE_CPU_MS * 1000000};
    TSParser *parser = ts_parser_new();
    *tree = NULL;
    if (!ts_parser_set_language(parser, g->language)) {
        ts_parser_delete(parser);
        return err_set(ERR_INTERNAL, "the grammar of '%s' does not fit this tree-sitter", g->name);
    }
    const TSInput input = {.payload = &budget, .read = read_block, .encoding = TSInputEncodingUTF8};
    const TSParseOptions options = {.payload = &budget, .progress_callback = check_budget};
    *tree = ts_parser_parse_with_options(parser, NULL, input, options);
    ts_parser_delete(parser);
    if (*tree && budget.reads_left == 0) { /* the lexer was told an end that is none */
        ts_tree_delete(*tree);
        *tree = NULL;
    }
    return ERR_OK;
}

/* ---- the walk ---- */

typedef struct {
    const GrammarRule *rule;
    const char *kind;
    Str path;
    size_t name_bytes; /* of path, at its end */
    Str signature;
    int32_t parent; /* OUTLINE_NONE: none */
    uint32_t start, end, name_at;
    uint32_t start_row, end_row, name_row;
    uint8_t depth, keys;
    bool class_like, in_function;
} Def;

/* A run of bytes from the start of a row's text. */
typedef struct {
    bool set;
    uint32_t start, row, end_row;
} Lead;

/* Children of one node. */
typedef struct {
    int32_t def; /* the innermost definition around them */
    bool bracket;
    Lead lead; /* the comments and attributes right before the child that comes next */
    Lead wrap; /* set: the parent is wrapped around them, from here on ... */
    uint32_t wrap_end, wrap_end_row;
} Level;

typedef struct {
    uint32_t start, end;
} Item;

typedef struct {
    Arena *arena;
    Arena scratch;
    const Grammar *grammar;
    Str text;
    Outline *out;
    uint32_t *firsts; /* [n_lines] byte of a line's first character that is not blank; NO_ROW: a blank line */
    Level *levels;    /* [OUTLINE_DEPTH_MAX + 2] */
    Buf defs;         /* Def[n_defs] */
    size_t n_defs;
    Buf items; /* Item[]: those of several lines that we are in */
    Buf references;
    size_t n_references;
} Walk;

/* A node as the walk needs it. */
typedef struct {
    TSNode node;
    const GrammarRule *rule; /* the first of its type, NULL none */
    uint32_t start, end, row, end_row;
    bool comment, own_line;
} Seen;

static Def *def_at(const Walk *w, int32_t i) { return i < 0 ? NULL : (Def *)(void *)w->defs.p + i; }

static bool kind_in(const char *kind, const char *kinds) {
    for (Str rest = str_of(kinds), word; str_cut(&rest, ' ', &word);)
        if (str_is(word, kind)) return true;
    return false;
}

static Err rows_find(Walk *w) {
    size_t n = 1;
    for (size_t i = 0; i < w->text.n; i++) n += w->text.p[i] == '\n';
    w->out->n_lines = n;
    w->out->lines = arena_array(&w->scratch, OutlineLine, n);
    w->firsts = arena_array(&w->scratch, uint32_t, n);
    if (!w->out->lines || !w->firsts) return arena_error();
    size_t row = 0;
    w->firsts[0] = NO_ROW;
    for (size_t i = 0; i < w->text.n; i++) {
        const char c = w->text.p[i];
        if (c == '\n')
            w->firsts[++row] = NO_ROW;
        else if (w->firsts[row] == NO_ROW && !(c == ' ' || (c >= '\t' && c <= '\r')))
            w->firsts[row] = (uint32_t)i;
    }
    return ERR_OK;
}

static Seen look(const Walk *w, TSNode node) {
    const TSSymbol symbol = ts_node_symbol(node);
    const TSPoint from = ts_node_start_point(node), to = ts_node_end_point(node);
    Seen s = {.node = node,
              .start = ts_node_start_byte(node),
              .end = ts_node_end_byte(node),
              .row = from.row,
              .end_row = to.row};
    if (s.end_row > s.row && to.column == 0) s.end_row--; /* some comments take their newline along */
    if (symbol < w->grammar->n_symbols) {
        if (w->grammar->first[symbol]) s.rule = &w->grammar->rules[w->grammar->first[symbol] - 1];
        s.comment = w->grammar->comment[symbol];
    }
    s.own_line = s.row < w->out->n_lines && w->firsts[s.row] == s.start;
    return s;
}

/* ---- lines ---- */

static void rows_flag(const Walk *w, uint32_t from, uint32_t to, LineFlags flag) {
    for (size_t i = from; i <= to && i < w->out->n_lines; i++) w->out->lines[i].flags |= (uint8_t)flag;
}

static void item_add(Walk *w, const Seen *s, const Level *here) {
    OutlineLine *line = &w->out->lines[s->row];
    const Def *around = def_at(w, here->def);
    Item *items = (Item *)(void *)w->items.p;
    size_t n = w->items.n / sizeof *items;
    while (n && items[n - 1].end <= s->start) {
        line->after = true;
        n--;
    }
    w->items.n = n * sizeof *items;
    line->flags |= LINE_ITEM;
    if (!ts_node_is_named(s->node)) line->flags |= LINE_TOKEN;
    if (here->bracket) line->flags |= LINE_BRACKET;
    line->nested = (uint8_t)(n < 255 ? n : 255);
    line->depth = around ? (uint8_t)(around->depth < 254 ? around->depth + 1 : 255) : 0;
    const Item item = {s->start, s->end};
    if (s->end_row > s->row) buf_add_bytes(&w->items, &item, sizeof item);
}

/* Tokens of several lines hide the lines in them. */
static void token_hide(const Walk *w, const Seen *s) {
    if (s->end_row > s->row && ts_node_child_count(s->node) == 0)
        rows_flag(w, s->row + 1, s->end_row, s->comment ? LINE_COMMENT : LINE_STRING);
}

/* Follows the run of comments and attributes; gives what stands right before this node. */
static Lead lead_follow(Level *here, const Seen *s) {
    Lead none = {0}, before = here->lead;
    const bool joins = before.set && s->row <= before.end_row + 1;
    if (s->comment || (s->rule && s->rule->role == RULE_LEAD)) {
        if (!s->own_line)
            here->lead = none;
        else if (joins)
            here->lead.end_row = s->end_row;
        else
            here->lead = (Lead){true, s->start, s->row, s->end_row};
        return none;
    }
    if (!ts_node_is_named(s->node)) return none;
    here->lead = none;
    return joins ? before : none;
}

/* ---- definitions ---- */

/* "Stack" of "(s *Stack[T])". */
static Str receiver_type(Str text, TSNode node, const char *path) {
    const TSNode at = grammar_follow(node, path);
    if (ts_node_is_null(at) || ts_node_end_byte(at) > text.n) return STR("");
    Str s = str_make(text.p + ts_node_start_byte(at), ts_node_end_byte(at) - ts_node_start_byte(at));
    while (s.n && strchr("() \t", s.p[s.n - 1])) s.n--;
    const ptrdiff_t bracket = str_find_char(s, '[');
    if (bracket >= 0) s = str_upto(s, (size_t)bracket);
    size_t from = s.n;
    while (from && !strchr(" *(\t", s.p[from - 1])) from--;
    return str_from(s, from);
}

static void path_add(Buf *path, Str part) {
    if (part.n == 0) return;
    if (path->n) buf_char(path, '.');
    for (size_t i = 0; i < part.n; i++) {
        const bool parts = (part.p[i] == ':' || part.p[i] == '\\') && path->n;
        if (!parts)
            buf_char(path, part.p[i]);
        else if (path->p[path->n - 1] != '.')
            buf_char(path, '.');
    }
}

static Err def_path(Walk *w, Def *d, const DefName *name, Str receiver) {
    Buf path = {0};
    const Def *parent = def_at(w, d->parent);
    path_add(&path, receiver.n ? receiver : parent ? parent->path : STR(""));
    path_add(&path, name->qualifier);
    if (path.n + name->name.n > PATH_MAX_BYTES) buf_clear(&path);
    if (path.n) buf_char(&path, '.');
    buf_add(&path, name->name);
    d->path = arena_str(w->arena, buf_str(&path));
    d->name_bytes = name->name.n;
    const Err err = buf_ok(&path);
    buf_free(&path);
    return err ? err : d->path.p ? ERR_OK : arena_error();
}

/* The first rule of the node's type that holds here; NULL none. */
static const GrammarRule *rule_choose(const GrammarRule *r, TSNode node, const Def *around) {
    const char *type = r->node;
    for (; r->node && strcmp(r->node, type) == 0; r++) {
        if (r->role == RULE_OUTER && around && around->in_function) continue;
        if (r->role == RULE_KEY && around && around->keys >= 2) continue;
        if (grammar_holds(node, r->when)) return r;
    }
    return NULL;
}

static const char *def_kind(const GrammarRule *r, const Def *parent, Str qualifier) {
    if (strcmp(r->kind, "function") != 0) return r->kind;
    return (parent && parent->class_like) || str_find(qualifier, STR("::")) >= 0 ? "method" : r->kind;
}

/* Marks where it begins for the chunker. */
static void def_mark(const Walk *w, const Def *d, const Seen *s) {
    if (d->start_row >= w->out->n_lines || w->firsts[d->start_row] != d->start) return;
    w->out->lines[d->start_row].flags |= LINE_DEF;
    if (s->row > d->start_row) rows_flag(w, d->start_row + 1, s->row, LINE_ATTACHED);
}

/* *index: of the new definition, untouched when the node is none. */
static Err def_add(Walk *w, const Seen *s, const GrammarRule *rule, const Level *here, const Lead *lead,
                   int32_t *index) {
    DefName name;
    if (w->n_defs == OUTLINE_SYMBOLS_MAX || !outline_name(w->text, s->node, rule, &name)) return ERR_OK;
    const Def *parent = def_at(w, here->def);
    const Lead *from = here->wrap.set ? &here->wrap : lead->set ? lead : NULL;
    Def d = {.rule = rule,
             .kind = def_kind(rule, parent, name.qualifier),
             .parent = here->def,
             .start = from ? from->start : s->start,
             .end = here->wrap.set ? here->wrap_end : s->end,
             .name_at = name.at,
             .start_row = from ? from->row : s->row,
             .end_row = here->wrap.set ? here->wrap_end_row : s->end_row,
             .name_row = name.row,
             .depth = parent ? (uint8_t)(parent->depth < 254 ? parent->depth + 1 : 255) : 0,
             .keys = (uint8_t)((parent ? parent->keys : 0) + (rule->role == RULE_KEY))};
    d.class_like = kind_in(d.kind, "class struct interface trait enum object impl union annotation");
    d.in_function = (parent && parent->in_function) || kind_in(d.kind, "function method");
    const Str receiver = rule->parent ? receiver_type(w->text, s->node, rule->parent) : STR("");
    TRY(def_path(w, &d, &name, receiver));
    d.signature = rule->role == RULE_KEY ? STR("") : outline_signature(w->arena, w->text, s->node);
    if (!d.signature.p) return arena_error();
    buf_add_bytes(&w->defs, &d, sizeof d);
    if (rule->role != RULE_SCOPE) def_mark(w, &d, s);
    *index = (int32_t)w->n_defs++;
    return buf_ok(&w->defs);
}

/* ---- names ---- */

static void reference_add(Walk *w, const Seen *s, const Level *here) {
    for (const Def *d = def_at(w, here->def); d; d = def_at(w, d->parent))
        if (d->name_at == s->start) return;
    if (w->n_references == OUTLINE_REFERENCES_MAX || s->end <= s->start || s->end - s->start > OUTLINE_NAME_MAX) return;
    const Reference r = {str_make(w->text.p + s->start, s->end - s->start), (int32_t)s->row + 1};
    buf_add_bytes(&w->references, &r, sizeof r);
    w->n_references++;
}

static int reference_cmp(const void *a, const void *b) {
    const Reference *x = a, *y = b;
    const int names = str_cmp(x->name, y->name);
    return names ? names : (x->line > y->line) - (x->line < y->line);
}

static Err references_take(Walk *w) {
    Reference *r = (Reference *)(void *)w->references.p;
    size_t n = 0;
    if (w->n_references) qsort(r, w->n_references, sizeof *r, reference_cmp);
    for (size_t i = 0; i < w->n_references; i++)
        if (n == 0 || reference_cmp(&r[n - 1], &r[i]) != 0) r[n++] = r[i];
    w->out->references = arena_array(w->arena, Reference, n);
    if (!w->out->references) return arena_error();
    if (n) memcpy(w->out->references, r, n * sizeof *r);
    w->out->n_references = n;
    return ERR_OK;
}

static Err symbols_take(Walk *w) {
    Outline *out = w->out;
    out->symbols = arena_array(w->arena, Symbol, w->n_defs);
    if (!out->symbols) return arena_error();
    for (size_t i = 0; i < w->n_defs; i++) {
        const Def *d = def_at(w, (int32_t)i);
        if (d->rule->role == RULE_SCOPE) continue;
        out->symbols[out->n_symbols++] = (Symbol){.path = d->path,
                                                  .name = str_from(d->path, d->path.n - d->name_bytes),
                                                  .kind = str_of(d->kind),
                                                  .signature = d->signature,
                                                  .start = d->start,
                                                  .end = d->end,
                                                  .line = (int32_t)d->name_row + 1,
                                                  .start_line = (int32_t)d->start_row + 1,
                                                  .end_line = (int32_t)d->end_row + 1};
    }
    return ERR_OK;
}

/* ---- one node ---- */

/* What begins with a bracket holds an expression, what begins with a brace holds lines again. */
static bool bracket_in(const Walk *w, const Seen *s, bool outer) {
    const char c = s->start < w->text.n ? w->text.p[s->start] : 0;
    return c == '(' || c == '[' ? true : c == '{' ? false : outer;
}

/* Prepares the level below. */
static Err visit(Walk *w, TSNode node, Level *here, Level *below) {
    const Seen s = look(w, node);
    const GrammarRule *first = s.rule, *rule = NULL;
    if (ts_node_is_error(node) || ts_node_is_missing(node)) {
        w->out->errors++;
        if (ts_node_is_error(node)) rows_flag(w, s.row, s.end_row, LINE_BROKEN);
    }
    const Lead lead = lead_follow(here, &s);
    *below = (Level){.def = here->def, .bracket = bracket_in(w, &s, here->bracket)};
    const bool list = first && first->role == RULE_LIST;
    if (s.own_line && !list && !(w->out->lines[s.row].flags & LINE_ITEM)) item_add(w, &s, here);
    token_hide(w, &s);
    if (list) below->lead = lead;
    if (!first || list) return ERR_OK;
    if (first->role == RULE_NAME) return reference_add(w, &s, here), ERR_OK;
    if (first->role == RULE_LEAD || !(rule = rule_choose(first, node, def_at(w, here->def)))) return ERR_OK;
    if (rule->role == RULE_WRAP) {
        below->wrap = here->wrap.set ? here->wrap : lead.set ? lead : (Lead){true, s.start, s.row, s.row};
        below->wrap_end = here->wrap.set ? here->wrap_end : s.end;
        below->wrap_end_row = here->wrap.set ? here->wrap_end_row : s.end_row;
        return ERR_OK;
    }
    return def_add(w, &s, rule, here, &lead, &below->def);
}

static Err walk_tree(Walk *w, TSNode root) {
    size_t depth = 0;
    Err err = ERR_OK;
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    w->levels[0] = (Level){.def = OUTLINE_NONE};
    bool more = ts_tree_cursor_goto_first_child(&cursor);
    while (more) {
        if ((err = visit(w, ts_tree_cursor_current_node(&cursor), &w->levels[depth], &w->levels[depth + 1]))) break;
        if (depth < OUTLINE_DEPTH_MAX && ts_tree_cursor_goto_first_child(&cursor)) {
            depth++;
            continue;
        }
        while (!(more = ts_tree_cursor_goto_next_sibling(&cursor)) && depth > 0) {
            (void)ts_tree_cursor_goto_parent(&cursor);
            depth--;
        }
    }
    ts_tree_cursor_delete(&cursor);
    return err;
}

static Err walk(Walk *w, TSNode root) {
    TRY(rows_find(w));
    w->levels = arena_array(&w->scratch, Level, OUTLINE_DEPTH_MAX + 2);
    if (!w->levels) return arena_error();
    if (ts_node_is_error(root)) w->out->errors++;
    TRY(walk_tree(w, root));
    TRY(buf_ok(&w->items));
    TRY(buf_ok(&w->references));
    TRY(symbols_take(w));
    TRY(references_take(w));
    OutlineLine *lines = arena_array(w->arena, OutlineLine, w->out->n_lines);
    if (!lines) return arena_error();
    memcpy(lines, w->out->lines, w->out->n_lines * sizeof *lines);
    w->out->lines = lines;
    w->out->parsed = true;
    return ERR_OK;
}

Err outline_read(Arena *a, const Grammar *g, Str text, Outline *out) {
    TSTree *tree = NULL;
    *out = (Outline){0};
    if (text.n > OUTLINE_TEXT_MAX)
        return err_set(ERR_LIMIT, "%zu bytes are too many to parse, at most %d", text.n, OUTLINE_TEXT_MAX);
    TRY(parse(g, text, &tree));
    if (!tree) return ERR_OK;
    Walk w = {.arena = a, .grammar = g, .text = text, .out = out};
    const Err err = walk(&w, ts_tree_root_node(tree));
    ts_tree_delete(tree);
    buf_free(&w.defs);
    buf_free(&w.items);
    buf_free(&w.references);
    arena_free(&w.scratch);
    return err;
}

/* Tests of the syntax trees: each grammar fits the runtime and our rules; what each language defines is found under its
 * name, kind, parents and line; broken, deep and endless text is no trouble. */
#include "check.h"

#include "chunk/outline.h"

static const Grammar *grammar(const char *lang) {
    const Grammar *g = NULL;
    CHECK_OK(grammar_of(str_of(lang), &g));
    CHECK(g != NULL);
    return g;
}

static Outline outline_of(Arena *a, const char *lang, Str text) {
    Outline o;
    CHECK_OK(outline_read(a, grammar(lang), text, &o));
    CHECK(o.parsed);
    return o;
}

/* "3 method Stack.push; 7 function main" */
static Str listed(Arena *a, const Outline *o) {
    Buf b = {0};
    for (size_t i = 0; i < o->n_symbols; i++)
        buf_printf(&b, "%s%d %.*s %.*s", i ? "; " : "", o->symbols[i].line, STR_FMT(o->symbols[i].kind),
                   STR_FMT(o->symbols[i].path));
    const Str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static void every_grammar_fits_the_runtime_and_our_rules(void **state) {
    (void)state;
    const char *const *langs;
    size_t n = 0;
    CHECK_OK(grammars_check(&n));
    CHECK_INT(n, grammar_langs(&langs));
    const Grammar *g;
    CHECK_OK(grammar_of(STR("klingon"), &g));
    CHECK(g == NULL);
}

/* A library of grammars that was built beside another runtime. */
static void a_grammar_of_another_abi_or_with_other_nodes_is_named(void **state) {
    (void)state;
    const Grammar *c;
    static const uint32_t strange[64] = {99}; /* a TSLanguage begins with its ABI */
    static const GrammarRule no_node[] = {{.node = "incantation", .role = RULE_DEF, .kind = "spell"}, {0}};
    static const GrammarRule no_field[] = {{.node = "function_definition", .role = RULE_DEF, .name = "wand"}, {0}};
    CHECK_OK(grammar_of(STR("c"), &c));
    CHECK_OK(grammar_fits("c", c->language, rules_c));
    CHECK_ERR(grammar_fits("c", (const TSLanguage *)(const void *)strange, rules_c), ERR_INTERNAL,
              "the grammar of 'c' has ABI 99, this tree-sitter takes 13 to 15");
    assert_string_equal(err_fix_text(), "make clean && make");
    CHECK_ERR(grammar_fits("c", c->language, no_node), ERR_INTERNAL,
              "the rule of 'incantation' does not fit the grammar of 'c'");
    CHECK_ERR(grammar_fits("c", c->language, no_field), ERR_INTERNAL,
              "the rule of 'function_definition' does not fit the grammar of 'c'");
}

static const struct {
    const char *lang, *text, *symbols;
} samples[] = {
    {"c",
     "#define LIMIT 3\n#define SQUARE(x) ((x) * (x))\nstruct pair { int a, b; };\ntypedef struct { int x; } Point;\n"
     "enum color { RED, GREEN };\nint add(int a, int b);\nstatic int total;\n\n/* Adds. */\nstatic char "
     "**(words)(void)\n"
     "{\n    int local = 0;\n    return 0;\n}\nint (*handler(int sig))(int) { return 0; }\n",
     "1 macro LIMIT; 2 macro SQUARE; 3 struct pair; 4 type Point; 5 enum color; 5 constant color.RED; "
     "5 constant color.GREEN; 6 prototype add; 7 variable total; 10 function words; 15 function handler"},
    {"cpp",
     "namespace geo {\ntemplate <typename T>\nclass Box : Base<T> {\n  public:\n    Box();\n    ~Box() {}\n    T "
     "&get() { return v; }\n"
     "    operator bool() const { return true; }\n    T v;\n};\n}\nint geo::Box::size() const { return 1; }\nusing "
     "Alias = int;\n"
     "bool operator==(int a, Box b) { return false; }\n",
     "1 namespace geo; 3 class geo.Box; 5 prototype geo.Box.Box; 6 method geo.Box.~Box; 7 method geo.Box.get; "
     "8 method geo.Box.operator bool; 12 method geo.Box.size; 13 type Alias; 14 function operator=="},
    {"python",
     "LIMIT = 3\n\n@cached\nclass Stack(list):\n    \"\"\"A stack.\"\"\"\n    size: int = 0\n\n    # Puts one on "
     "top.\n    @property\n"
     "    async def push(self, item):\n        self.top = item\n        def inner(): pass\n\ndef main(): pass\n",
     "1 variable LIMIT; 4 class Stack; 6 variable Stack.size; 10 method Stack.push; 12 function Stack.push.inner; "
     "14 function main"},
    {"go",
     "package p\n\nconst Max = 3\n\nvar (\n\ta = 1\n\tb = 2\n)\n\ntype Stack[T any] struct{ items []T }\n\ntype Shape "
     "interface {\n\tArea() float64\n}\n\n"
     "// Push puts one on top.\nfunc (s *Stack[T]) Push(x T) { s.items = append(s.items, x) }\n\nfunc main() { var "
     "local int }\n",
     "3 constant Max; 6 variable a; 7 variable b; 10 struct Stack; 12 interface Shape; 13 method Shape.Area; "
     "17 method Stack.Push; 19 function main"},
    {"rust",
     "const MAX: u32 = 3;\n/// A stack.\n#[derive(Debug)]\npub struct Stack<T> { v: Vec<T> }\nimpl<T> Stack<T> {\n    "
     "/// Pushes.\n"
     "    #[inline]\n    pub fn push(&mut self, x: T) {}\n}\ntrait Shape { fn area(&self) -> f64; type Unit; }\nenum "
     "Color { Red }\n"
     "mod inner { fn f() {} }\nmacro_rules! m { () => {} }\n",
     "1 constant MAX; 4 struct Stack; 8 method Stack.push; 10 trait Shape; 10 method Shape.area; 10 type Shape.Unit; "
     "11 enum Color; 11 constant Color.Red; 12 module inner; 12 function inner.f; 13 macro m"},
    {"java",
     "package p;\n/** Doc. */\n@Deprecated\npublic class Stack<T> implements Shape {\n  private int size = 0;\n  "
     "public Stack() {}\n  @Override\n"
     "  public T pop() throws E { return null; }\n  enum Color { RED, GREEN; }\n  interface Inner { void f(); }\n  "
     "record Pt(int x) {}\n}\n"
     "@interface Note { int value(); }\n",
     "4 class Stack; 5 field Stack.size; 6 method Stack.Stack; 8 method Stack.pop; 9 enum Stack.Color; "
     "9 constant Stack.Color.RED; 9 constant Stack.Color.GREEN; 10 interface Stack.Inner; 10 method Stack.Inner.f; "
     "11 class Stack.Pt; 13 annotation Note; 13 method Note.value"},
    {"javascript",
     "const MAX = 3;\nexport default class Stack extends Base {\n  size = 0;\n  push(x) {}\n  static make = () => 1;\n "
     " get #top() {}\n}\n"
     "const add = (a, b) => a + b;\nfunction* gen() {}\nexports.run = function () {};\nconst o = { go: function () {} "
     "};\n",
     "1 variable MAX; 2 class Stack; 3 property Stack.size; 4 method Stack.push; 5 method Stack.make; 6 method "
     "Stack.#top; "
     "8 function add; 9 function gen; 10 function exports.run; 11 variable o; 11 function o.go"},
    {"typescript",
     "export interface Shape { area(): number; name: string }\ntype Id = string;\nenum Color { Red = 1 }\ndeclare "
     "function f(x: number): void;\n"
     "abstract class A { private x = 1; abstract g(): void; h(): void {} }\nnamespace N { export const c = () => 1; "
     "}\n",
     "1 interface Shape; 1 method Shape.area; 1 property Shape.name; 2 type Id; 3 enum Color; 3 constant Color.Red; "
     "4 function f; 5 class A; 5 property A.x; 5 method A.g; 5 method A.h; 6 namespace N; 6 function N.c"},
    {"tsx", "export function App(): JSX.Element { return <div>hi</div>; }\nconst B = () => <b/>;\n",
     "1 function App; 2 function B"},
    {"csharp",
     "namespace N {\n  [Serializable]\n  public class Stack<T> : Base {\n    public int Size { get; set; }\n    public "
     "Stack() {}\n    public T Pop() => default;\n"
     "    enum Color { Red }\n    int field = 3;\n  }\n  interface IShape { double Area(); }\n  record Pt(int X);\n  "
     "struct S {}\n  delegate void D();\n}\n",
     "1 namespace N; 3 class N.Stack; 4 property N.Stack.Size; 5 method N.Stack.Stack; 6 method N.Stack.Pop; "
     "7 enum N.Stack.Color; 7 constant N.Stack.Color.Red; 8 field N.Stack.field; 10 interface N.IShape; "
     "10 method N.IShape.Area; 11 class N.Pt; 12 struct N.S; 13 type N.D"},
    {"ruby",
     "module Geo\n  MAX = 3\n  class Box < Base\n    # Size.\n    def size; 1; end\n    def self.make(x)\n      x\n    "
     "end\n    def ==(o) = true\n  end\nend\n"
     "class Geo::Ball; end\n",
     "1 module Geo; 2 constant Geo.MAX; 3 class Geo.Box; 5 method Geo.Box.size; 6 method Geo.Box.make; 9 method "
     "Geo.Box.==; "
     "12 class Geo.Ball"},
    {"php",
     "<?php\nnamespace App;\nconst MAX = 3;\nfunction add($a) { return $a; }\nabstract class Box {\n  const RED = 1;\n "
     " public $size = 0;\n  /** Doc. */\n"
     "  public function get(): int { return 1; }\n}\ninterface I { function f(); }\ntrait T {}\nenum E { case One; }\n",
     "3 constant MAX; 4 function add; 5 class Box; 6 constant Box.RED; 7 property Box.$size; 9 method Box.get; "
     "11 interface I; 11 method I.f; 12 trait T; 13 enum E; 13 constant E.One"},
    {"bash", "LIMIT=3\nadd() {\n  local x=1\n  echo hi\n}\nfunction run { add; }\n",
     "1 variable LIMIT; 2 function add; 6 function run"},
    {"kotlin",
     "package p\nval max = 3\nclass Stack<T>(val a: Int) : Base() {\n  fun push(x: T) {}\n  companion object Maker {\n "
     "   fun make() = 1\n  }\n}\n"
     "interface Shape {\n fun area(): Double\n}\nenum class Color { RED, GREEN }\nobject Single\nfun main() { val "
     "local = 1 }\ntypealias Id = String\n",
     "2 property max; 3 class Stack; 4 method Stack.push; 5 object Stack.Maker; 6 method Stack.Maker.make; 9 class "
     "Shape; "
     "10 method Shape.area; 12 class Color; 12 constant Color.RED; 12 constant Color.GREEN; 13 object Single; 14 "
     "function main; "
     "15 type Id"},
    {"lua",
     "local max = 3\nlocal function add(a) return a end\nfunction M.go(x)\n  local y = 1\nend\nfunction M:run() "
     "end\nM.f = function() end\n"
     "local t = { g = function() end }\n",
     "1 variable max; 2 function add; 3 function M.go; 6 function M.run; 7 function M.f; 8 variable t; 8 function t.g"},
    {"sql",
     "CREATE TABLE users (\n  id INTEGER PRIMARY KEY,\n  name TEXT\n);\nCREATE VIEW v AS SELECT 1;\nCREATE INDEX "
     "users_name ON users(name);\n"
     "CREATE FUNCTION add(a int) RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql;\n",
     "1 table users; 2 column users.id; 3 column users.name; 5 view v; 6 index users_name; 7 function add"},
    {"html", "<html><body>\n<h1 id=\"top\">Hi</h1>\n</body></html>\n", ""},
    {"css", ".box, #top > a {\n  color: red;\n}\n@keyframes spin { from { top: 0 } }\n@media print { p { top: 0 } }\n",
     "1 selector .box, #top > a; 4 keyframes spin; 5 selector p"},
    {"json", "{\n  \"name\": \"x\",\n  \"scripts\": { \"test\": { \"deep\": 1 } }\n}\n",
     "2 key name; 3 key scripts; 3 key scripts.test"},
    {"yaml", "name: x\non:\n  push:\n    branches: [a]\n  \"pull\": 1\n",
     "1 key name; 2 key on; 3 key on.push; 5 key on.pull"},
    {"toml", "title = \"x\"\n[package]\nname = \"y\"\n[[bin]]\npath = \"z\"\n[a.b]\nc = 1\n",
     "1 key title; 2 table package; 3 key package.name; 4 table bin; 5 key bin.path; 6 table a.b; 7 key a.b.c"},
};

static void what_each_language_defines_is_found(void **state) {
    (void)state;
    const char *const *langs;
    const size_t n = grammar_langs(&langs);
    CHECK_INT(sizeof samples / sizeof samples[0], n); /* none is left out */
    int wrong = 0;
    for (size_t i = 0; i < n; i++) {
        Arena a = {0};
        const Outline o = outline_of(&a, samples[i].lang, str_of(samples[i].text));
        const Str got = listed(&a, &o);
        if (!str_is(got, samples[i].symbols)) {
            print_error("%s:\n  got  %.*s\n  want %s\n", samples[i].lang, STR_FMT(got), samples[i].symbols);
            wrong++;
        }
        if (o.errors) print_error("%s: %zu errors\n", samples[i].lang, o.errors), wrong++;
        arena_free(&a);
    }
    CHECK_INT(wrong, 0);
}

static const Symbol *symbol(const Outline *o, const char *path) {
    for (size_t i = 0; i < o->n_symbols; i++)
        if (str_is(o->symbols[i].path, path)) return &o->symbols[i];
    fail_msg("no symbol '%s'", path);
    return NULL;
}

static void comments_and_decorators_belong_to_what_follows(void **state) {
    (void)state;
    Arena a = {0};
    Outline o = outline_of(&a, "python",
                           STR("# far\n\n# near\n# and nearer\n@one\n@two(3)\ndef f(a,\n      b=(1, 2)) -> int:\n    "
                               "return a\n\nx = 1  # trailing\ndef g(): pass\n"));
    const Symbol *f = symbol(&o, "f");
    CHECK_INT(f->start_line, 3);
    CHECK_INT(f->line, 7);
    CHECK_INT(f->end_line, 9);
    CHECK_STR(f->signature, "def f(a, b=(1, 2)) -> int");
    CHECK_INT(symbol(&o, "g")->start_line, 12); /* the comment is of the line above */
    o = outline_of(
        &a, "rust",
        STR("// one\n/// two\n#[inline]\npub fn f<T: Ord>(x: T) -> Vec<T>\nwhere T: Copy {\n    vec![x]\n}\n"));
    f = symbol(&o, "f");
    CHECK_INT(f->start_line, 1);
    CHECK_INT(f->end_line, 7);
    CHECK_STR(f->signature, "pub fn f<T: Ord>(x: T) -> Vec<T> where T: Copy");
    o = outline_of(&a, "typescript",
                   STR("/** Doc. */\nexport class A {\n  /** Doc of m. */\n  @dec()\n  m(): void {}\n}\n"));
    CHECK_INT(symbol(&o, "A")->start_line, 1);
    CHECK_INT(symbol(&o, "A.m")->start_line, 3);
    CHECK_STR(symbol(&o, "A.m")->signature, "m(): void");
    arena_free(&a);
}

static Str places(Arena *a, const Outline *o, const char *name) {
    Buf b = {0};
    for (size_t i = 0; i < o->n_references; i++)
        if (str_is(o->references[i].name, name)) buf_printf(&b, "%s%d", b.n ? " " : "", o->references[i].line);
    const Str s = arena_str(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static void references_are_all_names_but_those_of_definitions(void **state) {
    (void)state;
    Arena a = {0};
    Outline o = outline_of(&a, "c",
                           STR("int add(int a) { return a; }\nint (*f)(int) = add;\nint g(void) { return add(add(1)); "
                               "}\n/* add */\nint h(struct add *add);\n"));
    CHECK_STR(places(&a, &o, "add"), "2 3 5");
    o = outline_of(&a, "go",
                   STR("package p\nfunc (s *Stack) Push() { s.Push() }\nfunc f() { x.Push(); Push(); Stack{} }\n"));
    CHECK_STR(places(&a, &o, "Push"), "2 3");
    CHECK_STR(places(&a, &o, "Stack"), "2 3");
    for (size_t i = 1; i < o.n_references; i++) CHECK(str_cmp(o.references[i - 1].name, o.references[i].name) <= 0);
    arena_free(&a);
}

static void broken_code_still_gives_what_is_whole(void **state) {
    (void)state;
    Arena a = {0};
    Outline o = outline_of(&a, "c",
                           STR("int one(void) { return 1; }\n\n<<<<<<< HEAD\nint x = ;\n=======\n>>>>>>> b\n\nint "
                               "two(void) { return 2; }\n"));
    CHECK(o.errors > 0);
    (void)symbol(&o, "one");
    (void)symbol(&o, "two");
    o = outline_of(&a, "python", STR("def one():\n    return (\n\ndef two():\n    pass\n"));
    CHECK(o.errors > 0);
    (void)symbol(&o, "one");
    arena_free(&a);
}

/* A tree of a million levels is neither walked by recursion nor looked at to its bottom. */
static void deep_nesting_is_walked_without_a_deep_stack(void **state) {
    (void)state;
    static const struct {
        const char *lang, *open;
    } deep[] = {{"json", "["},     {"c", "{"},      {"javascript", "("},  {"javascript", "{a:"},
                {"python", "["},   {"html", "<b>"}, {"rust", "fn f() {"}, {"yaml", "- "},
                {"go", "func(){"}, {"css", "a{"},   {"ruby", "["},        {"bash", "$("}};
    for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) {
        Arena a = {0};
        Buf b = {0};
        Outline o;
        while (b.n < 20000) buf_add_z(&b, deep[i].open);
        CHECK_OK(outline_read(&a, grammar(deep[i].lang), buf_str(&b), &o));
        buf_free(&b);
        arena_free(&a);
    }
}

static void a_text_too_large_is_an_error_that_says_so(void **state) {
    (void)state;
    Arena a = {0};
    Buf b = {0};
    Outline o;
    while (b.n <= OUTLINE_TEXT_MAX) buf_add_z(&b, "int x;\n");
    CHECK_ERR(outline_read(&a, grammar("c"), buf_str(&b), &o), ERR_LIMIT, "are too many to parse");
    buf_free(&b);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_grammar_fits_the_runtime_and_our_rules),
        cmocka_unit_test(a_grammar_of_another_abi_or_with_other_nodes_is_named),
        cmocka_unit_test(what_each_language_defines_is_found),
        cmocka_unit_test(comments_and_decorators_belong_to_what_follows),
        cmocka_unit_test(references_are_all_names_but_those_of_definitions),
        cmocka_unit_test(broken_code_still_gives_what_is_whole),
        cmocka_unit_test(deep_nesting_is_walked_without_a_deep_stack),
        cmocka_unit_test(a_text_too_large_is_an_error_that_says_so),
    };
    return cmocka_run_group_tests_name("outline", tests, NULL, NULL);
}

/* Chats: what was said is what is read, in its order, and a chat that is removed leaves nothing. */
#include "fixture.h"

static const StoreMessage turn[] = {{.role = STR("user"), .content = STR("how many sheets?"), .citations = STR("")},
                                    {.role = STR("assistant"), .content = STR("Fifty. [1]"), .citations = STR("{}")}};

static const Str all = {NULL, 0};

static void what_is_said_is_kept_in_its_order(void **state) {
    (void)state;
    Fixture f;
    int64_t first = 0, second = 0;
    StoreChat chat, *chats = NULL;
    StoreMessage *messages = NULL;
    size_t n = 0;
    fixture_open(&f);
    CHECK_OK(store_chat_begin(f.store, STR(""), STR("the printer"), STR("[\"docs\"]"), 100, &first));
    CHECK_OK(store_chat_begin(f.store, STR(""), STR(""), STR("[]"), 200, &second));
    CHECK_OK(store_chat_add(f.store, first, turn, 2, 300));
    CHECK_OK(store_chat_add(f.store, first, turn, 2, 400));
    fixture_reopen(&f, true);
    CHECK_OK(store_chat(f.store, &f.arena, all, first, &chat));
    CHECK_STR(chat.title, "the printer");
    CHECK_STR(chat.collections, "[\"docs\"]");
    CHECK(chat.created_ms == 100 && chat.updated_ms == 400 && chat.messages == 4);
    CHECK_OK(store_chats(f.store, &f.arena, all, 10, &chats, &n));
    CHECK_INT(n, 2);
    CHECK_INT(chats[0].id, first); /* it went on last */
    CHECK_OK(store_chats(f.store, &f.arena, all, 1, &chats, &n));
    CHECK_INT(n, 1);
    CHECK_OK(store_chat_messages(f.store, &f.arena, first, 3, &messages, &n));
    CHECK_INT(n, 3);
    CHECK_STR(messages[0].role, "assistant");
    CHECK_STR(messages[1].content, "how many sheets?");
    CHECK_STR(messages[2].citations, "{}");
    CHECK_INT(messages[2].created_ms, 400);
    CHECK_OK(store_chat_messages(f.store, &f.arena, second, 3, &messages, &n));
    CHECK_INT(n, 0);
    CHECK_ERR(store_chat_add(f.store, first, turn, 2, 500), ERR_UNSUPPORTED, "reading only");
    fixture_close(&f);
}

static void a_chat_that_is_removed_leaves_nothing_and_its_number_is_not_given_again(void **state) {
    (void)state;
    Fixture f;
    int64_t id = 0, next = 0;
    StoreChat chat;
    StoreMessage *messages = NULL;
    size_t n = 0;
    fixture_open(&f);
    CHECK_OK(store_chat_begin(f.store, STR(""), STR("x"), STR("[]"), 1, &id));
    CHECK_OK(store_chat_add(f.store, id, turn, 2, 2));
    CHECK_OK(store_chat_remove(f.store, all, id));
    CHECK_ERR(store_chat(f.store, &f.arena, all, id, &chat), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_STR(str_of(err_fix_text()), "pythia chat list");
    CHECK_ERR(store_chat_remove(f.store, all, id), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_ERR(store_chat_add(f.store, id, turn, 2, 3), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_OK(store_chat_messages(f.store, &f.arena, id, 10, &messages, &n));
    CHECK_INT(n, 0);
    CHECK_OK(store_chat_begin(f.store, STR(""), STR("y"), STR("[]"), 4, &next));
    CHECK(next > id);
    fixture_check_sound(&f);
    fixture_close(&f);
}

static void a_chat_is_there_for_its_owner_alone(void **state) {
    (void)state;
    Fixture f;
    int64_t hers = 0, his = 0;
    StoreChat chat, *chats = NULL;
    StoreMessage *messages = NULL;
    size_t n = 0;
    const Str her = STR("t-1"), him = STR("t-2"), nobody = STR("");
    fixture_open(&f);
    CHECK_OK(store_chat_begin(f.store, her, STR("x"), STR("[]"), 1, &hers));
    CHECK_OK(store_chat_begin(f.store, him, STR("y"), STR("[]"), 2, &his));
    CHECK_OK(store_chat_add(f.store, hers, turn, 2, 3));
    CHECK_OK(store_chat(f.store, &f.arena, her, hers, &chat));
    CHECK_STR(chat.owner, "t-1");
    CHECK_ERR(store_chat(f.store, &f.arena, him, hers, &chat), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_ERR(store_chat(f.store, &f.arena, nobody, hers, &chat), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_OK(store_chats(f.store, &f.arena, him, 10, &chats, &n));
    CHECK_INT(n, 1);
    CHECK_INT(chats[0].id, his);
    CHECK_OK(store_chats(f.store, &f.arena, all, 10, &chats, &n));
    CHECK_INT(n, 2);
    CHECK_ERR(store_chat_remove(f.store, him, hers), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_OK(store_chat_messages(f.store, &f.arena, hers, 10, &messages, &n));
    CHECK_INT(n, 2); /* nothing of it went */
    CHECK_OK(store_chat_remove(f.store, her, hers));
    CHECK_OK(store_chat_remove(f.store, all, his));
    fixture_check_sound(&f);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_kept_in_its_order),
        cmocka_unit_test(a_chat_is_there_for_its_owner_alone),
        cmocka_unit_test(a_chat_that_is_removed_leaves_nothing_and_its_number_is_not_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

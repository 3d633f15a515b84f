/* Chats: what was said is what is read, in its order, and a chat that is removed leaves nothing. */
#include "fixture.h"

static const StoreMessage turn[] = {{.role = STR("user"), .content = STR("how many sheets?"), .citations = STR("")},
                                    {.role = STR("assistant"), .content = STR("Fifty. [1]"), .citations = STR("{}")}};

static void what_is_said_is_kept_in_its_order(void **state) {
    (void)state;
    Fixture f;
    int64_t first = 0, second = 0;
    StoreChat chat, *chats = NULL;
    StoreMessage *messages = NULL;
    size_t n = 0;
    fixture_open(&f);
    CHECK_OK(store_chat_begin(f.store, STR("the printer"), STR("[\"docs\"]"), 100, &first));
    CHECK_OK(store_chat_begin(f.store, STR(""), STR("[]"), 200, &second));
    CHECK_OK(store_chat_add(f.store, first, turn, 2, 300));
    CHECK_OK(store_chat_add(f.store, first, turn, 2, 400));
    fixture_reopen(&f, true);
    CHECK_OK(store_chat(f.store, &f.arena, first, &chat));
    CHECK_STR(chat.title, "the printer");
    CHECK_STR(chat.collections, "[\"docs\"]");
    CHECK(chat.created_ms == 100 && chat.updated_ms == 400 && chat.messages == 4);
    CHECK_OK(store_chats(f.store, &f.arena, 10, &chats, &n));
    CHECK_INT(n, 2);
    CHECK_INT(chats[0].id, first); /* it went on last */
    CHECK_OK(store_chats(f.store, &f.arena, 1, &chats, &n));
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
    CHECK_OK(store_chat_begin(f.store, STR("x"), STR("[]"), 1, &id));
    CHECK_OK(store_chat_add(f.store, id, turn, 2, 2));
    CHECK_OK(store_chat_remove(f.store, id));
    CHECK_ERR(store_chat(f.store, &f.arena, id, &chat), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_STR(str_of(err_fix_text()), "pythia chat list");
    CHECK_ERR(store_chat_remove(f.store, id), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_ERR(store_chat_add(f.store, id, turn, 2, 3), ERR_NO_DOCUMENT, "there is no chat '1'");
    CHECK_OK(store_chat_messages(f.store, &f.arena, id, 10, &messages, &n));
    CHECK_INT(n, 0);
    CHECK_OK(store_chat_begin(f.store, STR("y"), STR("[]"), 4, &next));
    CHECK(next > id);
    fixture_check_sound(&f);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_kept_in_its_order),
        cmocka_unit_test(a_chat_that_is_removed_leaves_nothing_and_its_number_is_not_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of twist.h: questions that deny or turn round what a text says. */
#include "check.h"

#include "answer/twist.h"

static void a_question_that_denies_what_the_text_does_not_is_seen(void **state) {
    (void)state;
    CHECK(twist_denies(STR("Who did not sign the treaty?"), STR("Ten countries signed the treaty.")));
    CHECK(twist_denies(STR("What isn\xe2\x80\x99t made of wood?"), STR("Doors are made of wood.")));
    CHECK(twist_denies(STR("Who REFUSED to pay?"), STR("All of them paid.")));
    CHECK(!twist_denies(STR("Who did not sign?"), STR("Norway never signed it.")));
    CHECK(!twist_denies(STR("Who signed the treaty?"), STR("Norway did not.")));
    CHECK(!twist_denies(STR("Who noted the notion?"), STR("The notary.")));
    CHECK(!twist_denies(STR(""), STR("")));
}

static void a_question_that_asks_for_the_opposite_is_seen(void **state) {
    (void)state;
    CHECK(twist_opposes(STR("What happened before the war?"), STR("After the war the city grew.")));
    CHECK(twist_opposes(STR("When did prices decrease?"), STR("Prices increases came in 1973.")));
    CHECK(twist_opposes(STR("Who lost?"), STR("The Normans WON.")));
    CHECK(!twist_opposes(STR("What happened before it?"), STR("Before and after it there was peace.")));
    CHECK(!twist_opposes(STR("Who won and who lost?"), STR("The Normans won.")));
    CHECK(!twist_opposes(STR("How high is it?"), STR("It is 12 m high.")));
    CHECK(!twist_opposes(STR("Where is it?"), STR("Lower down.")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_that_denies_what_the_text_does_not_is_seen),
        cmocka_unit_test(a_question_that_asks_for_the_opposite_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

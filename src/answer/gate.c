/* gate.c - how sure an answer is.
 *
 * Two logistic regressions: one where sentences were compared with the question token by token (match.c), one for
 * models that give one vector a text.
 *
 * by_tokens was fitted on 1,200 questions of SQuAD 2 of each kind (with an answer; the same with their paragraph, or
 * their article, left out; written to look answerable; weighing 1, 0.5, 0.1 and 0.4), all-MiniLM-L6-v2. Folds of other
 * articles, 1,500 of each: AUROC 0.879, 0.982 and 0.726 in an outline of the program, where by_vectors' weights come to
 * 0.859, 0.984 and 0.716. Through the program, on 300 others of each: 0.869, 0.980 and 0.720 for 0.861, 0.982 and
 * 0.716. The bias was then set so that at 0.4 as many questions that have an answer go without one as before. What more
 * there is in measures of this kind: all of 192 (tokens of four layers, in sentences and in passages; least, mean and
 * idf of what is lacking; gaps; lengths; kinds of questions) come to 0.881, 0.987 and 0.721 in a logistic, to 0.888,
 * 0.989 and 0.727 in boosted trees, to 0.862, 0.987 and 0.738 in trees that weigh adversarial questions three times.
 * Question and sentence read by the network together, a logistic over what becomes of their tokens: 0.743 and 0.669
 * alone, less than 0.005 beside the rest.
 *
 * by_vectors was fitted by bench/answers.py on a sample of SQuAD 2's development set (160 questions with an answer
 * against the same with their paragraph left out, with their article left out, and 160 written to look answerable;
 * all-MiniLM-L6-v2), classes of equal weight: 0.5 is where having an answer is as likely as not when every second
 * question has one. AUROC of halves that were not fitted on: 0.84 against paragraphs left out, 0.99 against articles,
 * 0.63 against adversarial questions.
 *
 * The weights of DENIED and OPPOSED were added later, the others kept: a logistic with all of them on 600 other
 * questions of each kind gave -1.9 and -3.1, the latter from few cases. On 300 of each that were drawn anew AUROC went
 * from 0.864, 0.982 and 0.660 to 0.862, 0.979 and 0.704; at 0.4 a third of adversarial questions is not answered,
 * before a quarter, and of those with an answer 12.3 % instead of 11.7 %. Without effect, in a logistic whose folds
 * were other articles: the largest idf that is missing, words of neighbouring sentences, pairs of words that stand near
 * each other, names and numbers of the question, agreement of words and vectors, margins of either. Trees boosted over
 * all of these and 30 measures more (the place of the best quote's hit, gaps between the first hits and between the
 * first quotes, kinds of questions, their lengths) come to 0.869, 0.986 and 0.711 where these eight come to 0.854,
 * 0.980 and 0.708 (1,600 questions of each kind, folds of other articles): what is missing is not in such measures.
 */
#include <math.h>

#include "answer/answer.h"

static float by_vectors(const AnswerEvidence *e) {
    return -5.63f + 1.62f * e->share + 2.65f * e->cosine + 1.89f * e->span_share + 2.90f * e->span_cosine +
           0.15f * e->expected + 1.66f * e->margin - 1.9f * e->denied - 2.0f * e->opposed;
}

static float by_tokens(const AnswerEvidence *e) {
    return -5.0f + 2.40f * e->cosine + 0.51f * e->span_share + 1.02f * e->span_cosine - 2.69f * e->denied -
           2.47f * e->opposed + 5.47f * e->held + 3.27f * e->lead + 2.10f * e->gap - 1.07f * e->numbers -
           0.39f * e->names;
}

float answer_confidence(const AnswerEvidence *e) {
    return 1.0f / (1.0f + expf(-(e->compared ? by_tokens(e) : by_vectors(e))));
}

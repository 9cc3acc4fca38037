"""router/forward/troubles.py: a state is said when it changes, and then rarely."""

from router.forward.troubles import MOST_PLACES, SAID_AGAIN_S, Troubles


def test_state_is_said_once_and_again_after_a_while() -> None:
    troubles = Troubles()
    at = [0.0, 1.0, SAID_AGAIN_S - 0.1, SAID_AGAIN_S, SAID_AGAIN_S + 1.0, 2 * SAID_AGAIN_S]
    said = [troubles.is_news("a", "unanswered", now) for now in at]
    assert said == [True, False, False, True, False, True]


def test_state_that_changes_is_said_each_time() -> None:
    troubles = Troubles()
    states = ["refused", "unanswered", "refused", "refused"]
    assert [troubles.is_news("a", state, 1.0) for state in states] == [True, True, True, False]


def test_addresses_that_are_tried_in_turn_are_each_said_once() -> None:
    troubles = Troubles()
    places = [("a", "refused"), ("b", "unanswered")] * 3
    said = [troubles.is_news(place, state, 1.0) for place, state in places]
    assert said == [True, True, False, False, False, False]


def test_after_a_session_everything_is_news() -> None:
    troubles = Troubles()
    troubles.is_news("a", "refused", 1.0)
    troubles.forget()
    assert troubles.is_news("a", "refused", 2.0)


def test_news_are_seen_until_they_are_taken() -> None:
    troubles = Troubles()
    assert not troubles.has_news
    troubles.is_news("a", "refused", 1.0)
    assert troubles.has_news
    troubles.has_news = False
    troubles.is_news("a", "refused", 2.0)
    assert not troubles.has_news
    troubles.forget()
    assert troubles.has_news


def test_states_of_ever_new_addresses_fill_no_memory() -> None:
    troubles = Troubles()
    for number in range(10 * MOST_PLACES):
        troubles.is_news(str(number), "refused", 1.0)
    assert len(troubles._said) == MOST_PLACES

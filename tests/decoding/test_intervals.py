from speechxl.decoding.intervals import Interval, grouped, intervals


def result(*places, key="word"):
    """An entry of the document with words (or phones) of text, start, end."""
    words = [{key: text, "start": start, "end": end, "score": 0.5} for text, start, end in places]
    return {"words": words if key == "word" else [], "phones": words if key == "phone" else []}


def times(found):
    return [(each.start, each.end) for each in found]


def test_times_become_whole_milliseconds():
    found = intervals(result(("a", 0.1234, 0.5), ("b", 0.5, 0.9)), 0.0, 1.0)
    assert found == [Interval("a", 123, 500, 0.5), Interval("b", 500, 900, 0.5)]
    assert intervals(result(("k", 0.1, 0.2), key="phone"), 0.0, 1.0)[0].text == "k"


def test_no_interval_is_empty_overlaps_or_leaves_the_clip_and_none_is_lost():
    places = [("a", 0.0, 0.0), ("b", 0.0, 0.3), ("c", 0.2, 0.25), ("d", 0.99, 0.99), ("e", 0.999, 1.5), ("f", 1.2, 1.2)]
    for start in (0.0, 10.0004):
        moved = [(text, start + begin, start + end) for text, begin, end in places]
        found = intervals(result(*moved), start, 1.0)
        assert [each.text for each in found] == list("abcdef")
        bounds = [round(1000 * start), *(time for pair in times(found) for time in pair), int(1000 * (start + 1))]
        assert bounds == sorted(bounds)
        assert all(begin < end for begin, end in times(found))


def test_the_end_of_a_clip_is_not_rounded_up():
    assert times(intervals(result(("a", 0.5, 0.6316875)), 0.0, 0.6316875)) == [(500, 631)]


def words(*items):
    return [Interval(text, start, end, 1.0) for text, start, end in items]


def test_lines_end_at_their_width_and_at_silence():
    spoken = words(("one", 0, 100), ("two", 200, 300), ("three", 300, 400), ("four", 2000, 2100))
    assert [line.text for line in grouped(spoken, 7, 1.0)] == ["one two", "three", "four"]
    assert [line.text for line in grouped(spoken, 6, 1.0)] == ["one", "two", "three", "four"]
    assert [line.text for line in grouped(spoken, 80, 2.0)] == ["one two three four"]
    assert times(grouped(spoken, 80, 1.0)) == [(0, 400), (2000, 2100)]
    assert grouped([], 80, 1.0) == []


def test_a_word_that_is_longer_than_a_line_has_one_of_its_own():
    assert [line.text for line in grouped(words(("a", 0, 1), ("bbbbbb", 1, 2), ("c", 2, 3)), 3, 1.0)] == [
        "a",
        "bbbbbb",
        "c",
    ]

import pytest

from nucleate.corpora.sentences import is_sentence, sentence_runs, split_sentences


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Mr. Fox ran. He fell.", ["Mr. Fox ran.", "He fell."]),
        ("It cost 3.50 dollars. She paid.", ["It cost 3.50 dollars.", "She paid."]),
        ("J. R. Smith came. He sat.", ["J. R. Smith came.", "He sat."]),
        ('"Stop! Wait," he said. She ran.', ['"Stop! Wait," he said.', "She ran."]),
        ('"Can you?" Her mom smiled.', ['"Can you?"', "Her mom smiled."]),
        ('"Can you?" she asked. Yes.', ['"Can you?" she asked.', "Yes."]),
        ("“Go. Now!” cried Tom. We went.", ["“Go. Now!” cried Tom.", "We went."]),
        ("‘It’s here. Look,’ he said. I did.", ["‘It’s here. Look,’ he said.", "I did."]),
        ("He waited... and left. Gone.", ["He waited... and left.", "Gone."]),
        ("Wait... Who is it? Nobody.", ["Wait...", "Who is it?", "Nobody."]),
        ("one day it rained. it was wet.", ["one day it rained.", "it was wet."]),
        ("A dog\nran home. It\nslept.", ["A dog ran home.", "It slept."]),
        ("A Heading\n\nIt began. It ended.", ["A Heading", "It began.", "It ended."]),
        ("我回家了。他睡觉。", ["我回家了。", "他睡觉。"]),
        ("no end here", ["no end here"]),
        ("", []),
    ],
)
def test_sentences_end_where_people_end_them(text, pieces):
    assert split_sentences(text) == pieces


@pytest.mark.parametrize(
    "piece",
    [
        "A Heading Without An End",
        '"An open quotation begins here.',
        "1 comes before the first word.",
        "- a list item that ends.",
        "**Bold words** come from markup.",
        "See https://example.org for more.",
        "Word " * 61 + "end.",
        "Yes.",
    ],
)
def test_what_is_no_sentence_of_prose_is_refused(piece):
    assert not is_sentence(piece)


def test_a_run_ends_where_something_is_no_sentence():
    text = "First it rained. Then it stopped.\n\nA Heading\n\nThe sun came out. We went outside."
    assert sentence_runs(text) == [
        ["First it rained.", "Then it stopped."],
        ["The sun came out.", "We went outside."],
    ]


def test_an_unclosed_quotation_swallows_no_more_than_its_paragraph():
    text = 'He said, "I am here. Nobody came.\n\nThe day ended. The night began.'
    assert sentence_runs(text) == [["The day ended.", "The night began."]]

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.core import DataError
from nucleate.corpora.tokenizer import EOS, begin_token, bpe_tokenizer, encode, word_tokenizer
from tests.unit.corpora.prose import stories

TEXTS = stories(40)
BPE = bpe_tokenizer(TEXTS, vocab_size=400)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back_as_it_was(text):
    (ids,) = encode(BPE, [text])
    assert BPE.decode(ids) == text
    assert BPE.eos_token_id not in ids


def test_a_text_that_spells_the_separator_cannot_end_itself():
    (ids,) = encode(BPE, [f"one {EOS} two"])
    assert BPE.eos_token_id not in ids
    assert BPE.decode(ids) == f"one {EOS} two"


def test_a_saved_tokenizer_keeps_that_habit(tmp_path):
    from transformers import AutoTokenizer

    BPE.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    texts = [f"one {EOS} two", TEXTS[0]]
    assert encode(again, texts) == encode(BPE, texts)


def test_the_vocabulary_is_as_large_as_asked_or_what_the_text_gives():
    assert len(BPE) == 400
    assert len(bpe_tokenizer(["ab ab ab"], vocab_size=1000)) < 270
    assert len(bpe_tokenizer([], vocab_size=300)) == 257


@pytest.mark.parametrize("size", [256, 8193])
def test_a_vocabulary_out_of_range_is_a_mistake(size):
    with pytest.raises(DataError, match="vocabulary size is out of range"):
        bpe_tokenizer(TEXTS, vocab_size=size)


class TestCache:
    def train(self, folder, texts=TEXTS):
        return bpe_tokenizer(texts, vocab_size=300, cache=folder, key="k")

    def test_a_hit_is_the_same_tokenizer_and_reads_no_text(self, tmp_path):
        def unread():
            raise AssertionError("texts were read")
            yield ""

        first, second = self.train(tmp_path), self.train(tmp_path, unread())
        assert first.get_vocab() == second.get_vocab()
        assert encode(first, TEXTS) == encode(second, TEXTS)

    def test_another_key_or_size_is_another_file(self, tmp_path):
        self.train(tmp_path)
        bpe_tokenizer(TEXTS, vocab_size=300, cache=tmp_path, key="other")
        bpe_tokenizer(TEXTS, vocab_size=301, cache=tmp_path, key="k")
        assert len(list(tmp_path.iterdir())) == 3

    def test_a_damaged_file_is_made_again(self, tmp_path):
        first = self.train(tmp_path)
        (file,) = tmp_path.iterdir()
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        assert self.train(tmp_path).get_vocab() == first.get_vocab()
        assert file.read_bytes() == whole


class TestWords:
    def test_one_word_one_token_and_zero_is_the_separator(self):
        tokenizer = word_tokenizer(["red", "blue", "."])
        assert encode(tokenizer, ["blue red .", "red"]) == [[2, 1, 3], [1]]
        assert tokenizer.eos_token_id == tokenizer.bos_token_id == 0

    def test_an_unknown_word_is_named_never_hidden(self):
        named = r"word is not in the vocabulary .*'bleu'.*--suite story"
        with pytest.raises(DataError, match=named):
            encode(word_tokenizer(["red", "blue"]), ["red", "blue bleu"])

    def test_a_word_twice_is_a_mistake(self):
        with pytest.raises(DataError, match="a word twice"):
            word_tokenizer(["red", "red"])


class TestBegin:
    class Bare:
        bos_token_id = None
        eos_token_id = None

    def test_the_end_of_text_stands_in_for_the_begin(self):
        bare = self.Bare()
        bare.eos_token_id = 7
        assert begin_token(bare) == 7
        bare.bos_token_id = 0
        assert begin_token(bare) == 0

    def test_neither_is_a_mistake(self):
        with pytest.raises(DataError, match="no token to begin"):
            begin_token(self.Bare())

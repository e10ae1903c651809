from primase.configuration import Section, options
from primase.data.words import (
    INPUT_WORDS,
    DatasetWords,
    ExpressionWords,
    GraphWords,
    HeaderWords,
    ImageWords,
    PairWords,
    SplitSection,
    TableWords,
    TargetWord,
)


class Data(DatasetWords, PairWords, HeaderWords, TableWords, TargetWord):
    """All words at once."""


class Everything(Section):
    """A configuration of them."""

    data: Data = Data()
    split: SplitSection = SplitSection()


def test_the_words_of_the_command_line_contract():
    flags = {option.flag for option in options(Everything).values()}
    assert flags >= {
        *("--dataset", "--positives", "--negatives", "--table", "--target-column", "--id-column", "--group-column"),
        *("--sequence-column", "--split", "--test-positives", "--test-negatives", "--test-table"),
        *("--validation-positives", "--validation-negatives", "--validation-table"),
    }


def test_every_word_has_a_help_text():
    assert all(option.field.description for option in options(Everything).values())


def test_words_that_name_input_are_told_from_those_that_say_how_to_read_it():
    reading = {"target_column", "id_column", "sequence_column", "group_column"}
    words = set(Data.model_fields) | set(GraphWords.model_fields)
    words |= set(ExpressionWords.model_fields) | set(ImageWords.model_fields)
    assert words - reading - {"label_column"} == INPUT_WORDS


def test_the_default_split_is_eighty_ten_ten():
    split = SplitSection()
    assert (split.validation_fraction, split.test_fraction, split.split) == (0.1, 0.1, "auto")

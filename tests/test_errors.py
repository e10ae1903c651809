import pytest

from primase import errors


def test_a_message_has_all_its_parts_once():
    error = errors.ReadError("too few cells.", where="a.tsv, line 3", got="2.", wanted="3", advice="Mend it.")
    assert str(error) == "a.tsv, line 3: too few cells. Found: 2. Accepted: 3. Mend it."
    assert (error.what, error.where, error.got, error.wanted) == ("too few cells.", "a.tsv, line 3", "2.", "3")
    assert error.advice == "Mend it."


def test_a_message_can_be_short():
    assert str(errors.InputError("there is no input")) == "there is no input."


@pytest.mark.parametrize("kind", [errors.ReadError, errors.ConfigurationError, errors.SourceError, errors.BundleError])
def test_what_a_user_can_cause_is_an_input_error(kind):
    assert issubclass(kind, errors.InputError)
    assert issubclass(kind, errors.PrimaseError)


def test_an_interruption_passes_code_that_catches_errors():
    assert not issubclass(errors.Interrupted, (Exception, KeyboardInterrupt))
    assert errors.Interrupted(15).signal_number == 15

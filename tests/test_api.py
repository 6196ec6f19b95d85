"""The public names of `import lstm_jax`, and their documentation."""

import inspect
import re
import typing

import pytest

import lstm_jax

LAYERS = "LSTM GRU RNN MGU ConvLSTM Recurrent".split()
STEPS = "LSTMCell GRUCell RNNCell MGUCell ConvLSTMCell StepCell".split()
MODELS = "CharLM SequenceModel SequenceClassifier Forecaster".split()
RECORDS = """
    Affine Around Cell Directions LSTMActivations LSTMGates LSTMNorm Noise StackState Trace
    LSTMParams LSTMState RNNParams RNNState GRUParams GRUState MGUParams ConvLSTMParams
    MogrifierParams
    CharLMConfig SequenceModelConfig SequenceClassifierConfig ForecasterConfig
    LanguageModel Vocabulary
""".split()
ERRORS = "UserError ModelError".split()
FUNCTIONS = """
    lstm_step lstm_gates rnn_step gru_step mgu_step conv_lstm_step mogrifier_step
    init_lstm init_rnn init_gru init_mgu init_conv_lstm init_mogrifier chrono zeros zero_h zero_hc
    lstm_cell rnn_cell gru_cell mgu_cell conv_lstm_cell mogrifier_cell
    scan trace stack run explain lstm rnn gru mgu run_layers trace_layers
    zoneout drop_state drop_weights activation_penalty temporal_activation_penalty
    pad unpad mask_of bucket load sample keep_memory
""".split()
MODULES = [*LAYERS, *STEPS, *MODELS]


def test_the_names_are_these():
    listed = [*MODULES, *RECORDS, *ERRORS, *FUNCTIONS]
    assert len(set(listed)) == len(listed)
    assert sorted(listed) == sorted(lstm_jax.__all__)


# Their arguments cannot be wrong, or are checked by the functions that they call.
REFUSE_NOTHING = set(
    """
    lstm_cell rnn_cell gru_cell mgu_cell conv_lstm_cell mogrifier_cell drop_state mask_of
    activation_penalty temporal_activation_penalty keep_memory
    """.split()
)


def sections(function):
    """The sections of a docstring that its signature requires, and those that it has."""
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    names = [name for name in signature.parameters if name not in ("self", "cls")]
    wanted = {"Args", "Raises"} if names else {"Raises"}
    if signature.return_annotation not in (None, "None", inspect.Signature.empty):
        wanted.add("Returns")
    text = text.replace("\nYields:\n", "\nReturns:\n")
    return wanted, set(re.findall(r"^(Args|Returns|Raises):$", text, re.MULTILINE)), text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_documents_arguments_results_and_errors(name):
    function = inspect.unwrap(getattr(lstm_jax, name))
    wanted, found, text = sections(function)
    if name in REFUSE_NOTHING:
        assert "raise " not in inspect.getsource(function)
        wanted.discard("Raises")
    assert wanted <= found, f"{name} does not say {', '.join(sorted(wanted - found))}"
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"\b{parameter}\b", text.partition("Args:")[2]), f"{name}: {parameter}"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_documents_its_construction_and_call(name):
    kind = getattr(lstm_jax, name)
    for method in (kind.__init__, kind.__call__):
        wanted, found, _ = sections(method)
        assert wanted - {"Returns"} <= found, f"{name}.{method.__name__}: {wanted - found}"


@pytest.mark.parametrize("name", [*LAYERS, *STEPS])
def test_a_layer_describes_every_option(name):
    init = getattr(lstm_jax, name).__init__
    options = set(inspect.signature(init).parameters) - {"self"}
    unpacked = typing.get_type_hints(init).get("options")
    options |= set(unpacked.__args__[0].__annotations__ if unpacked else ())
    assert {"dtype", "params"} <= options
    if name in ("GRU", "MGU", "RNN"):  # these have no c
        options -= {"cell_zoneout", *(() if name == "RNN" else ["state_dropout"])}
    arguments = inspect.getdoc(init).partition("Args:")[2]
    assert {o for o in options if not re.search(rf"\b{o}\b", arguments)} == set()


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_documents_its_fields(name):
    kind = getattr(lstm_jax, name)
    text = inspect.getdoc(kind) or ""
    source = inspect.getsource(kind)
    for field in getattr(kind, "_fields", ()) or getattr(kind, "__dataclass_fields__", ()):
        if field.startswith("_"):
            continue
        described = re.search(rf"\b{field}\b", text)
        assert described or re.search(rf"{field}: .*\n    \"\"\"", source), f"{name}.{field}"


@pytest.mark.parametrize("name", lstm_jax.__all__)
def test_no_public_signature_hides_its_arguments(name):
    """`**options` is typed by name, so that an editor shows the options."""
    found = getattr(lstm_jax, name)
    for function in (found, *(m for m in vars(found).values() if inspect.isclass(found))):
        if not inspect.isfunction(function) or function.__name__ in ("_make", "_replace"):
            continue
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                assert parameter.annotation != "Any", f"{name}: **{parameter.name}"
                assert parameter.annotation is not inspect.Parameter.empty

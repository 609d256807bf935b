"""What edgetpu_compiler prints, in the formats of its versions, and how it is held against the prediction."""

from pathlib import Path

import pytest

from tests.inference._mobilenet import mobilenet_v2
from tpukit import schema
from tpukit.errors import ConfigError
from tpukit.inference import Model, ModelInfo, inspect_model, with_compiler_log
from tpukit.inference._compiler_check import confirmed
from tpukit.inference._compiler_log import MAPPED, CompilerLog, LogRow, parse_compiler_log

VERSIONS = ("2.1.302470888", "14.1.317412892", "15.0.340273435", "16.0.384591198")
ONE, KEPT = "More than one subgraph is not supported", "Operation not supported"
HEAD = "Edge TPU Compiler version {}\nStarted a compilation timeout timer of 180 seconds.\n\nModel compiled in 8 ms.\n"
DYNAMIC = "Attempting to use a delegate that only supports static-sized tensors"
PARTLY = "\nModel successfully compiled but not all operations are supported by the Edge TPU.\n"
#: MobileNetV2 with a NEG in the place of op 21, as the compiler's table would have it where the prediction is right.
ROWS = (
    ("NEG", 1, KEPT), ("ADD", 3, MAPPED), ("ADD", 7, ONE), ("CONV_2D", 12, MAPPED), ("CONV_2D", 23, ONE),
    ("DEPTHWISE_CONV_2D", 6, MAPPED), ("DEPTHWISE_CONV_2D", 11, ONE), ("MEAN", 1, ONE), ("FULLY_CONNECTED", 1, ONE),
    ("SOFTMAX", 1, ONE),
)  # fmt: skip


def table(rows: tuple[tuple[str, int, str], ...]) -> str:
    lines = [f"{kind:31}{count:<11}{status}" for kind, count, status in rows]
    return "\n".join(["", "Operator                       Count      Status", "", *lines, ""])


def sums(model: str, *, operations: int, kept: str = "70.50KiB", streamed: str = "0.00B", subgraphs: int = 1) -> str:
    return (
        f"\nInput model: some/where/{model}.tflite\nInput size: 3.39MiB\n"
        f"Output model: {model}_edgetpu.tflite\nOutput size: 3.60MiB\n"
        f"On-chip memory used for caching model parameters: {kept}\n"
        "On-chip memory remaining for caching model parameters: 7.60MiB\n"
        f"Off-chip memory used for streaming uncached model parameters: {streamed}\n"
        f"Number of Edge TPU subgraphs: {subgraphs}\nTotal number of operations: {operations}\n"
        f"Operation log: {model}_edgetpu.log\n"
    )


def split(mapped: int, rest: int) -> str:
    return (
        f"{PARTLY}Number of operations that will run on Edge TPU: {mapped}\n"
        f"Number of operations that will run on CPU: {rest}\n"
    )


def printed(version: str = VERSIONS[-1]) -> str:
    return HEAD.format(version) + sums("odd", operations=66) + split(21, 45) + table(ROWS) + "Compilation succeeded!\n"


def written(version: str = VERSIONS[-1]) -> str:
    head = f"Edge TPU Compiler version {version}\nInput: ./odd.tflite\nOutput: out/odd_edgetpu.tflite\n"
    return head + table(ROWS)


@pytest.fixture(scope="module")
def odd() -> ModelInfo:
    return inspect_model(Model(name="odd", content=mobilenet_v2(odd_block=5), sha256=""))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_compiler_prints_is_read(version: str) -> None:
    (log,) = parse_compiler_log(printed(version))
    assert (log.version, log.model, log.operations, log.mapped, log.subgraphs) == (version, "odd", 66, 21, 1)
    assert (log.on_chip_bytes, log.streamed_bytes, log.failure) == (int(70.5 * 1024), 0, None)
    assert log.rows == tuple(LogRow(type=kind, count=n, status=status) for kind, n, status in ROWS)


def test_the_file_that_the_compiler_writes_has_the_table_alone() -> None:
    (log,) = parse_compiler_log(written().replace("\n", "\r\n"))
    assert (log.model, log.operations, log.mapped, log.subgraphs, log.on_chip_bytes) == ("odd", 66, 21, None, None)
    assert len(log.rows) == len(ROWS)


def test_output_and_file_of_one_compilation_after_one_another_are_one() -> None:
    brief = HEAD.format(VERSIONS[-1]) + sums("odd", operations=66) + split(21, 45)
    for text in (brief + "\n" + written(), written() + "\n" + brief):
        (log,) = parse_compiler_log(text)
        assert (log.subgraphs, log.operations, log.mapped, len(log.rows)) == (1, 66, 21, len(ROWS))


def test_models_compiled_together_are_told_apart() -> None:
    whole = sums("a", operations=5, kept="1.25MiB", streamed="3.45MiB") + sums("b", operations=7) + split(0, 7)
    a, b = parse_compiler_log(HEAD.format(VERSIONS[-1]) + whole)
    assert (a.model, a.operations, a.mapped, a.on_chip_bytes) == ("a", 5, 5, int(1.25 * 2**20))
    assert a.streamed_bytes == round(3.45 * 2**20)
    assert (b.model, b.operations, b.mapped) == ("b", 7, 0)


@pytest.mark.parametrize(
    ("text", "model", "failure"),
    [
        (f"ERROR: {DYNAMIC}\nCompilation failed: Model failed in Tflite interpreter.\nCompilation failed!\n", "",
         f"{DYNAMIC}; Model failed in Tflite interpreter"),
        # github.com/google-coral/edgetpu/issues/512: the second line says why
        ("ERROR: Restored original execution plan.\nCompilation failed: Large activation tensors.\n" * 2, "",
         "Restored original execution plan; Large activation tensors"),
        ("Compilation failed: Large activation tensors in model.\n", "", "Large activation tensors in model"),
        ("\nInternal compiler error. Aborting! \n", "", "Internal compiler error"),
        # github.com/google-coral/edgetpu/issues/800
        ("Compilation child process completed within timeout.\nCompilation failed! \n", "", "Compilation failed"),
        ("ERROR: No op 'X'\n\nInvalid model: in/m.tflite\nModel could not be parsed\n", "m", "No op 'X'"),
        ("Invalid model: m.tflite\nModel not quantized\n", "m", "Model not quantized"),
    ],
)  # fmt: skip
def test_why_nothing_was_compiled_is_kept(text: str, model: str, failure: str, odd: ModelInfo) -> None:
    (log,) = parse_compiler_log(f"Edge TPU Compiler version {VERSIONS[-1]}\n{text}")
    assert log.model == model
    assert log.failure == failure
    if not model:
        refused = confirmed(odd, [log])
        assert refused.notes[0] == f"Edge TPU: the compiler, {VERSIONS[-1]}, refused the model: {failure}."
        assert refused.notes[1:] == odd.notes
        assert refused.compiler is not None
        assert (refused.compiler["compiled"].sum(), refused.compiler["predicted"].sum()) == (0, 21)
        assert not refused.ops["mapped"].any()
        assert set(refused.ops["reason"]) == {"the compiler refused the model"}


def test_an_error_on_the_way_to_a_compiled_model_is_no_failure() -> None:
    (log,) = parse_compiler_log(HEAD.format("16.0") + "ERROR: Restored the plan.\n" + sums("m", operations=3))
    assert (log.failure, log.mapped) == (None, 3)


@pytest.mark.parametrize("text", ["", "Input model: m.tflite\n", "latency,ms\n1,2\n"])
def test_what_is_no_log_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"it is no log of edgetpu_compiler: expected a line"):
        parse_compiler_log(text)


@pytest.mark.parametrize("kept", [1, len(MAPPED) - 1])
def test_a_log_cut_within_a_status_is_refused_and_not_read_as_unmapped(kept: int) -> None:
    text = written()
    cut = text[: text.rindex(MAPPED) + kept]
    with pytest.raises(ConfigError, match=f"it ends within its line of DEPTHWISE_CONV_2D, '{MAPPED[:kept].strip()}'"):
        parse_compiler_log(cut)


def test_a_sum_that_is_no_number_is_named() -> None:
    text = HEAD.format("16.0") + "Input model: m.tflite\nTotal number of operations: many\n"
    with pytest.raises(ConfigError, match=r"'Total number of operations' has the value 'many'"):
        parse_compiler_log(text)


def test_a_log_that_agrees_confirms_the_prediction(odd: ModelInfo) -> None:
    told = confirmed(odd, parse_compiler_log(printed()))
    assert told.compiler is not None
    assert schema.check(told.compiler, schema.COMPILED)["compiled"].tolist() == told.compiler["predicted"].tolist()
    assert told.ops["mapped"].tolist() == list(odd.mapping.mapped)
    assert told.notes == (
        f"Edge TPU: the compiler, {VERSIONS[-1]}, mapped 21 of 66 operators in 1 subgraph; the prediction was 21.",
        "Both agree for every type of operator.",
        "0.07 MiB of parameters stay on the chip; the host sends none.",
    )
    assert not any("predicted" in note for note in told.notes)
    by_type = told.ops.set_index("type")
    assert by_type.loc["MEAN", "reason"] == ONE
    assert by_type.loc["NEG", "reason"] == KEPT


def test_a_log_that_differs_says_where_and_leaves_open_which(odd: ModelInfo) -> None:
    rows = tuple(row for row in ROWS if row[0] != "ADD")
    differs = written().split("\nOperator")[0] + table((*rows, ("ADD", 1, MAPPED), ("ADD", 9, ONE)))
    told = confirmed(odd, parse_compiler_log(differs))
    assert told.notes[0].endswith("mapped 19 of 66 operators; the prediction was 21.")
    assert told.notes[1] == "They differ for 1 of 7 types of operator: ADD 1 of 10 mapped, 3 predicted."
    adds = told.ops[told.ops["type"] == "ADD"]
    assert adds["mapped"].isna().all()
    assert set(adds["reason"]) == {"the log says 1 of 10, not which"}
    assert told.ops["mapped"].notna().sum() == 56


def test_a_log_without_a_table_tells_of_each_operator_only_where_it_is_all_or_nothing(odd: ModelInfo) -> None:
    def of(sentence: str) -> ModelInfo:
        return confirmed(odd, parse_compiler_log(HEAD.format("16.0") + sums("odd", operations=66) + sentence))

    assert of("").ops["mapped"].all()
    none = of(split(0, 66))
    assert not none.ops["mapped"].any()
    assert set(none.ops["reason"]) == {"the compiler left it to the processor"}
    some = of(split(21, 45))
    assert some.ops["mapped"].isna().all()
    assert "call it with -s" in some.notes[1]


def test_of_several_reasons_for_one_type_none_is_said_to_be_each_operators() -> None:
    info = inspect_model("autoencoder_int8")
    rows = tuple(LogRow(type="FULLY_CONNECTED", count=n, status=status) for n, status in ((4, KEPT), (6, ONE)))
    told = confirmed(info, [CompilerLog(version="16", model=info.name, rows=rows, operations=10, mapped=0)])
    assert set(told.ops["reason"]) == {f"4 {KEPT}; 6 {ONE}"}


def test_custom_operators_are_one_type_to_the_compiler() -> None:
    from tests.inference import _models

    info = inspect_model(Model(name="m", content=_models.custom_op("nms"), sha256=""))
    log = CompilerLog(
        version="16", model="m", rows=(LogRow(type="CUSTOM", count=1, status=KEPT),), operations=1, mapped=0
    )
    assert confirmed(info, [log]).ops["reason"].tolist() == [KEPT]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (printed().replace("odd.tflite", "even.tflite"), "it is of even, not of odd: give the log of this model"),
        (written().replace("NEG                            1", "NEG                            2"),
         "it is of another model named odd: it has 2 NEG, this one 1; give the log of this model"),
        (written().replace("NEG ", "ABS "), "another model named odd: it has 1 ABS, this one 0"),
        (HEAD.format("16.0") + sums("odd", operations=64), "it has 64 operators, this one 66"),
        (HEAD.format("16.0"), "it ends before it says what became of the model: compile again"),
        (HEAD.format("16.0") + "Input model: odd.tflite\nInput size: 3.39MiB\n", "it ends before it says what became"),
        ("a shopping list", "it is no log of edgetpu_compiler"),
    ],
)  # fmt: skip
def test_a_log_of_another_model_is_refused_with_what_differs(
    text: str, message: str, odd: ModelInfo, tmp_path: Path
) -> None:
    path = tmp_path / "m.log"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"^compiler log {path}: .*{message}"):
        with_compiler_log(odd, path)


def test_a_log_that_cannot_be_read_and_a_model_that_is_compiled_already(odd: ModelInfo, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cannot read compiler log .*: No such file"):
        with_compiler_log(odd, tmp_path / "none.log")
    from tests.inference import _models

    compiled = inspect_model(Model(name="odd", content=_models.custom_op(), sha256=""))
    with pytest.raises(ConfigError, match="model odd is compiled already"):
        confirmed(compiled, parse_compiler_log(printed()))

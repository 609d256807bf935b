"""Checks of a model's file: whether, and how, an Edge TPU runs it."""

from tpukit.doctor._edgetpu import NEWEST_RUNTIME, runtime_version
from tpukit.doctor._facts import Facts, ModelFacts
from tpukit.doctor._finding import Finding, not_applicable, ok, trouble, warning


def readable(facts: Facts, model: ModelFacts) -> Finding:
    """Whether the file is a whole TFLite model, or a JAX export."""
    if model.jax:
        return ok("a JAX export, for the devices jax, jax:cpu, jax:gpu and jax:tpu")
    if model.damage is None:
        return ok(f"{model.ops} operator{'' if model.ops == 1 else 's'}")
    if facts.python.litert.error:
        return not_applicable("LiteRT, which reads it, does not run")
    return trouble(model.damage, "convert or download it again; a .tflite file is expected")


def compiled(facts: Facts, model: ModelFacts) -> Finding:
    """Whether the model was compiled for the Edge TPU; one that was not runs on the CPU without a word."""
    if model.damage or model.jax:
        return _unread(model)
    if not model.compiled:
        judge = trouble if facts.edge_tpus else warning
        return judge(
            f"not compiled for the Edge TPU: 0 of {model.ops} operators would run there, and all on the CPU",
            f"for the Edge TPU: edgetpu_compiler {model.name}.tflite (tpukit inspect predicts what that maps); for the "
            "CPU: nothing",
        )
    found = f"{model.compiled} of {model.ops} operators run on the Edge TPU"
    if not facts.edge_tpus:
        return warning(
            f"{found} and nowhere else, and none is plugged in",
            "plug one in, or measure the file that it was compiled from",
        )
    if model.compiled == model.ops:
        return ok(found)
    return warning(
        found, "tpukit inspect on the file that it was compiled from predicts which ones stay on the CPU, and why"
    )


def runtime(facts: Facts, model: ModelFacts) -> Finding:
    """Whether libedgetpu is new enough for the model."""
    if model.damage or model.jax:
        return _unread(model)
    if not model.compiled:
        return not_applicable("it is not compiled for the Edge TPU")
    if not model.min_runtime:
        return not_applicable("it does not say which runtime it needs")
    have, need = runtime_version(facts), model.min_runtime
    if have is None:
        return not_applicable(f"it needs runtime {need}, and libedgetpu's is not known")
    if need <= have:
        return ok(f"needs runtime {need}, libedgetpu is of {have}")
    newer = f"install libedgetpu 16.0, which is of runtime {NEWEST_RUNTIME}, or " if need <= NEWEST_RUNTIME else ""
    return trouble(
        f"compiled for runtime {need}, and libedgetpu is of runtime {have}",
        f"{newer}compile it again with edgetpu_compiler --min_runtime_version {have}",
    )


def quantised(facts: Facts, model: ModelFacts) -> Finding:
    """Whether the operators compute in integers of 8 bits, the only ones that the Edge TPU knows."""
    del facts
    if model.damage or model.jax:
        return _unread(model)
    if model.compiled:
        return ok("what is compiled for the Edge TPU is quantised")
    if not model.floats:
        return ok("no operator computes in floating point")
    what = "all" if model.floats == model.ops else str(model.floats)
    return warning(
        f"{what} of {model.ops} operators compute in floating point, of which the Edge TPU runs none",
        "for the Edge TPU: convert it with full-integer quantisation to 8 bits; for the CPU: nothing",
    )


def fixed(facts: Facts, model: ModelFacts) -> Finding:
    """Whether all shapes are fixed: edgetpu_compiler needs constant sizes (coral.ai, Edge TPU models)."""
    del facts
    if model.damage or model.jax:
        return _unread(model)
    if not model.free:
        return ok("all inputs have a fixed shape")
    return warning(
        f"free: {', '.join(model.free)}",
        "fix the batch when converting, as in keras.Input(shape, batch_size=1): edgetpu_compiler needs constant sizes, "
        "and free ones leave SHAPE, PACK and RESHAPE operators in the model",
    )


def _unread(model: ModelFacts) -> Finding:
    return not_applicable("it is a JAX export" if model.jax else "it cannot be read")

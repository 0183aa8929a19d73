"""Graph surgery on a Piper voice: the ONNX file is cut into encoder, flow and decoder."""

from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.utils import Extractor

from services.runtime.errors import NotServing

INPUTS = ["input", "input_lengths", "scales"]
ENCODER, FLOW, DECODER = "encoder.onnx", "flow.onnx", "decoder.onnx"


@dataclass(frozen=True, slots=True)
class Seams:
    """The names of the values at the cuts."""

    prior: str  # (1, channels, frames): encoder to flow
    mask: str  # (1, 1, frames): encoder to flow
    durations: str  # (1, 1, n_ids): frames of each phoneme id, out of the encoder
    latent: str  # (1, channels, frames): flow to decoder


def cut_voice(path: Path, folder: Path) -> Seams:
    """Read a voice as Piper exports it and cut it where the flow and where the decoder begins.

    Writes ENCODER, FLOW and DECODER into `folder`; the three together compute what the one did. Raises NotServing for
    a file that is no such voice; OSError.
    """
    try:
        model = onnx.load(path)
    except (ValueError, RuntimeError, DecodeError) as error:
        raise _not_a_voice(path, error) from error
    try:
        return _cut(model, folder)
    except (ValueError, StopIteration, RuntimeError) as error:
        raise _not_a_voice(path, error) from error


def _not_a_voice(path: Path, error: Exception) -> NotServing:
    return NotServing(f"{path} is not a single-speaker Piper voice: {error or type(error).__name__}")


def _cut(model: onnx.ModelProto, folder: Path) -> Seams:
    nodes = list(model.graph.node)
    makers = {output: node for node in nodes for output in node.output}
    decoder_entry = next(node for node in nodes if node.op_type == "Conv" and node.input[1] == "dec.conv_pre.weight")
    latent = decoder_entry.input[0]
    seams = Seams(
        prior=_find_prior(nodes),
        mask=_find_mask(makers[latent]),
        durations=next(node for node in nodes if node.op_type == "Ceil").output[0],
        latent=latent,
    )
    cut = Extractor(model).extract_model
    onnx.save(cut(INPUTS, [seams.prior, seams.mask, seams.durations]), folder / ENCODER)
    onnx.save(cut([seams.prior, seams.mask], [latent]), folder / FLOW)
    onnx.save(cut([latent], [model.graph.output[0].name]), folder / DECODER)
    return seams


def _find_mask(masked: onnx.NodeProto) -> str:
    """The decoder's input is the flow's output times the mask."""
    return next(name for name in masked.input if not name.startswith("/flow/"))


def _find_prior(nodes: list[onnx.NodeProto]) -> str:
    """The flow's input: the one value it takes that is made outside of it and is no mask, constant or weight."""
    flow = [node for node in nodes if node.name.startswith("/flow/")]
    made_inside = {output for node in flow for output in node.output}
    first = next(node for node in flow if node.op_type == "Slice" and node.input[0] not in made_inside)
    return first.input[0]

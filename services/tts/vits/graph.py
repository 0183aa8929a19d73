"""Cuts a Piper voice into the three networks it is made of."""

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx.utils import Extractor

from services.runtime.errors import StartupError

INPUTS = ["input", "input_lengths", "scales"]


@dataclass(frozen=True, slots=True)
class VoiceGraphs:
    """Three networks, serialised. Shapes: z is (1, channels, frames), mask (1, 1, frames)."""

    encoder: bytes  # phoneme ids -> prior z, mask, frames a phoneme (1, 1, n_ids)
    flow: bytes  # prior z, mask -> z
    decoder: bytes  # z -> samples (1, 1, frames * hop)
    prior: str  # names of the values at the cuts
    mask: str
    durations: str
    latent: str
    output: str


def cut_voice(path: Path) -> VoiceGraphs:
    """Read a voice as Piper exports it and cut it where the flow and where the decoder begins.

    The three together compute what the one did. Raises StartupError for a file that is no such voice.
    """
    try:
        model = onnx.load(path)
        return _cut(model)
    except (OSError, ValueError, StopIteration, RuntimeError) as error:
        raise StartupError(f"{path} is not a single-speaker Piper voice: {error or type(error).__name__}") from error


def _cut(model: onnx.ModelProto) -> VoiceGraphs:
    nodes = list(model.graph.node)
    makers = {output: node for node in nodes for output in node.output}
    decoder_entry = next(node for node in nodes if node.op_type == "Conv" and node.input[1] == "dec.conv_pre.weight")
    latent = decoder_entry.input[0]
    mask = _find_mask(makers[latent])
    prior = _find_prior(nodes)
    durations = next(node for node in nodes if node.op_type == "Ceil").output[0]
    output = model.graph.output[0].name
    extractor = Extractor(model)
    return VoiceGraphs(
        encoder=extractor.extract_model(INPUTS, [prior, mask, durations]).SerializeToString(),
        flow=extractor.extract_model([prior, mask], [latent]).SerializeToString(),
        decoder=extractor.extract_model([latent], [output]).SerializeToString(),
        prior=prior,
        mask=mask,
        durations=durations,
        latent=latent,
        output=output,
    )


def _find_mask(masked: onnx.NodeProto) -> str:
    """The decoder's input is the flow's output times the mask."""
    return next(name for name in masked.input if not name.startswith("/flow/"))


def _find_prior(nodes: list[onnx.NodeProto]) -> str:
    """The flow's input: the one value it takes that is made outside of it and is no mask, constant or weight."""
    flow = [node for node in nodes if node.name.startswith("/flow/")]
    made_inside = {output for node in flow for output in node.output}
    first = next(node for node in flow if node.op_type == "Slice" and node.input[0] not in made_inside)
    return first.input[0]

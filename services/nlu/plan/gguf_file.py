"""Header of a GGUF file: sizes of tensors, and the metadata by which llama.cpp lays out memory.

Only the header is read. Lists of the tokenizer are passed over: reading 150 thousand tokens one by one takes the gguf
package most of a minute on a busy machine, and none of them counts here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType

from services.runtime.errors import NotServing, StartupError
from services.runtime.loading import load_failure, may_pass

_LAYER = re.compile(r"blk\.(\d+)\.")
_SHARD = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
_LONGEST_LIST = 4096  # of numbers, one a layer; longer ones belong to the tokenizer
_MOST_LAYERS = 512  # LLAMA_MAX_LAYERS of llama.cpp
_INPUTS = ("token_embd.weight", "per_layer_token_embd.weight", "position_embd.weight", "token_types.weight")
_RECURRENT = ("ssm", "wkv", "shortconv", "kda")
"""Groups of metadata that only models have whose layers keep a state in place of keys and values."""
_GEMMA3N_LAYERS = 20  # that keep keys and values
CANNOT_SHARE = (
    "its layers keep a state that cannot be cut back to a common beginning, which calls share here: serve it by "
    "llama-server, with NLU_ENGINE=openai and NLU_OPENAI_BASE_URL"
)
_REPACKED = frozenset({GGMLQuantizationType.Q4_0, GGMLQuantizationType.Q4_K, GGMLQuantizationType.IQ4_NL})


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of a model. Bytes are those of the file, which llama.cpp keeps as they are on GPUs."""

    name: str
    architecture: str
    n_layers: int
    n_embd: int
    n_vocab: int
    n_heads: int
    key_widths: tuple[int, ...]  # elements of a token's keys in each layer's cache; 0: the layer keeps none
    value_widths: tuple[int, ...]  # the same of its values; 0 also where they are a part of the keys
    n_ff: int  # the widest feed-forward a token passes through
    n_ctx_train: int
    n_experts: int  # 0: dense
    n_experts_used: int
    sliding_window: int  # 0: none
    layer_bytes: tuple[int, ...]
    input_bytes: int  # embeddings: on the CPU always
    output_bytes: int  # output matrix and norm: on the last device
    tied_bytes: int  # of the output matrix, where it is the embeddings' own: it counts in both
    repacked_bytes: int  # of matrices that the CPU backend copies into another order
    n_parameters: int
    chat_template: str = field(repr=False, default="")

    @property
    def weight_bytes(self) -> int:
        """Bytes of the file's tensors, each counted once."""
        return sum(self.layer_bytes) + self.output_bytes + self.input_bytes - self.tied_bytes

    def kv_bytes_per_token(
        self, layer: int, key_bytes: float, value_bytes: float, *, has_flash_attention: bool
    ) -> float:
        """Return the bytes per token of one layer; `key_bytes` and `value_bytes` are those of one element in the
        cache's types. Without flash attention llama.cpp keeps the values of all layers in rows of the widest.
        """
        n_values = self.value_widths[layer]
        if n_values and not has_flash_attention:
            n_values = max(self.value_widths)
        return self.key_widths[layer] * key_bytes + n_values * value_bytes

    @property
    def kind(self) -> str:
        """Return the kind of model in words, for a person."""
        experts = f"{self.n_experts} experts, {self.n_experts_used} a token" if self.n_experts else "dense"
        window = f", attention in windows of {self.sliding_window}" if self.sliding_window else ""
        return f"{self.architecture}, {experts}{window}"


def read_shape(path: Path) -> ModelShape:
    """Read the header of a file, and of all its shards. Raises StartupError, NotServing, in one line."""
    readers = [_open(shard) for shard in shards_of(path)]
    try:
        return _shape(path, readers)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NotServing(f"{path} has no complete description of a model that llama.cpp knows: {error}") from error


class _HeaderReader(GGUFReader):
    """Reader of the header that skips lists of strings and long lists of numbers."""

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[np.ndarray[Any, Any]], list[int], list[GGUFValueType]]:
        if GGUFValueType(raw_type) is not GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        item_type = GGUFValueType(int(self._get(orig_offs, np.uint32)[0]))
        length = int(self._get(orig_offs + 4, np.uint64)[0])
        number = self.gguf_scalar_to_np.get(item_type)
        if number is not None and length <= _LONGEST_LIST:
            return super()._get_field_parts(orig_offs, raw_type)
        begin = orig_offs + 12
        if number is not None:
            end = begin + length * int(np.dtype(number).itemsize)
        elif item_type is GGUFValueType.STRING:
            end = self._end_of_strings(begin, length)
        else:
            raise ValueError("a list of lists")
        if end > len(self.data):
            raise ValueError("the file ends within its header")
        count = np.array([length], dtype=np.uint64)
        return end - orig_offs, [count], [0], [GGUFValueType.ARRAY, item_type]

    def _end_of_strings(self, offset: int, n_strings: int) -> int:
        content = memoryview(self.data)  # type: ignore[arg-type] # a numpy array is a buffer
        order = "big" if self.byte_order == "S" else "little"
        for _ in range(n_strings):
            raw = content[offset : offset + 8]
            if len(raw) < 8:
                raise ValueError("the file ends within its header")
            offset += 8 + int.from_bytes(raw, order)  # type: ignore[arg-type] # "big" or "little"
        return offset


def shards_of(path: Path) -> list[Path]:
    """Return the files of a model that is split over several; itself where it is not."""
    if not path.is_file():
        raise NotServing(f"{path} is not there: name a GGUF file, or a model of deploy/models.toml")
    parts = _SHARD.match(path.name)
    if parts is None:
        return [path]
    count = int(parts["count"])
    shards = [path.with_name(f"{parts['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]
    for shard in shards:
        if not shard.is_file():
            raise NotServing(f"{shard} is not there: a model in {count} files needs all of them in one folder")
    return shards


def _open(path: Path) -> GGUFReader:
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise NotServing(f"{path} is not a GGUF model that llama.cpp can load: fetch it again or name another")
        reader = _HeaderReader(path)
    except StartupError:
        raise
    except Exception as error:  # the package raises errors of numpy when a file is cut short or not valid
        if may_pass(error):
            raise load_failure(str(path), error) from error
        raise NotServing(
            f"{path} is not a GGUF model that llama.cpp can load: its header is broken or the file is cut short "
            f"({type(error).__name__}: {error}): fetch it again"
        ) from error
    return reader


def _shape(path: Path, readers: list[GGUFReader]) -> ModelShape:
    fields: Mapping[str, Any] = readers[0].fields
    architecture = str(_value(fields, "general.architecture"))

    def value(key: str, default: Any = None) -> Any:
        return _value(fields, f"{architecture}.{key}", default)

    if any(key.startswith(tuple(f"{architecture}.{kind}." for kind in _RECURRENT)) for key in fields):
        raise NotServing(f"{path} is of the architecture {architecture}: {CANNOT_SHARE}")
    tensors = [tensor for reader in readers for tensor in reader.tensors]
    n_layers = int(value("block_count"))
    if not 1 <= n_layers <= _MOST_LAYERS:
        raise ValueError(f"{architecture}.block_count is {n_layers}; llama.cpp takes 1 to {_MOST_LAYERS}")
    n_heads = _most(value("attention.head_count"))
    n_embd = int(value("embedding_length"))
    layer_bytes: dict[int, int] = defaultdict(int)
    named: dict[str, int] = {}
    for tensor in tensors:
        if layer := _LAYER.match(tensor.name):
            layer_bytes[int(layer[1])] += int(tensor.n_bytes)
        else:
            named[tensor.name] = int(tensor.n_bytes)
    if "token_embd.weight" not in named:
        raise KeyError("token_embd.weight")
    if empty := [layer for layer in range(n_layers) if not layer_bytes[layer]]:
        raise ValueError(f"{architecture}.block_count is {n_layers}, but block {empty[0]} has no tensor")
    tied_bytes = 0 if "output.weight" in named else named["token_embd.weight"]
    input_bytes = sum(named.pop(name, 0) for name in _INPUTS)
    vocabulary = next(tensor for tensor in tensors if tensor.name == "token_embd.weight")
    if n_embd not in map(int, vocabulary.shape):
        raise ValueError(f"{architecture}.embedding_length is {n_embd}, but token_embd.weight has another")
    n_used = _most(value("expert_used_count", 0))
    widths = [_most(value("feed_forward_length", 0)), _most(value("expert_feed_forward_length", 0)) * max(n_used, 1)]
    key_widths, value_widths = _cache_widths(value, n_layers, n_embd // max(n_heads, 1))
    if architecture == "gemma3n":  # llama.cpp's own figure, which no file has
        key_widths, value_widths = (_only_first(widths, _GEMMA3N_LAYERS) for widths in (key_widths, value_widths))
    repacked = sum(
        int(tensor.n_bytes)
        for tensor in tensors
        if tensor.tensor_type in _REPACKED and len(tensor.shape) == 2 and tensor.name != "token_embd.weight"
    )
    return ModelShape(
        name=str(_value(fields, "general.name", path.stem)),
        architecture=architecture,
        n_layers=n_layers,
        n_embd=n_embd,
        n_vocab=int(max(vocabulary.shape)),
        n_heads=n_heads,
        key_widths=key_widths,
        value_widths=value_widths,
        n_ff=max(widths),
        n_ctx_train=int(value("context_length", 0)),
        n_experts=int(value("expert_count", 0)),
        n_experts_used=n_used,
        sliding_window=_window(architecture, value("attention.sliding_window")),
        layer_bytes=tuple(layer_bytes[layer] for layer in range(n_layers)),
        input_bytes=input_bytes,
        output_bytes=sum(named.values()) + tied_bytes,
        tied_bytes=tied_bytes,
        repacked_bytes=repacked,
        n_parameters=sum(int(tensor.n_elements) for tensor in tensors),
        chat_template=str(_value(fields, "tokenizer.chat_template", "")),
    )


def _cache_widths(
    value: Callable[..., Any], n_layers: int, head_length: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the elements of a token's keys and of its values in each layer's cache (llama-hparams.cpp).

    A latent cache (MLA) has keys only. Layers with a sliding window may have heads of another length, and the last
    layers may use the cache of earlier ones. Where the file does not say which layers have a window, all count with
    the longer heads.
    """
    heads = _per_layer(value("attention.head_count_kv", value("attention.head_count")), n_layers)
    n_own = n_layers - int(value("attention.shared_kv_layers", 0))
    pattern = value("attention.sliding_window_pattern", 0)
    is_latent = value("attention.key_length_mla", 0) and value("attention.value_length_mla", 0)

    def widths(kind: str) -> tuple[int, ...]:
        length = int(value(f"attention.{kind}_length", head_length))
        in_window = int(value(f"attention.{kind}_length_swa", length))
        if isinstance(pattern, list):
            lengths = tuple(in_window if has_window else length for has_window in _per_layer(pattern, n_layers))
        else:
            lengths = (max(length, in_window),) * n_layers
        return _only_first([n_heads * each for n_heads, each in zip(heads, lengths, strict=True)], n_own)

    return widths("key"), (0,) * n_layers if is_latent else widths("value")


def _only_first(widths: Sequence[int], n_layers: int) -> tuple[int, ...]:
    """Return the widths with 0 for every layer behind the first ones."""
    return tuple(width if layer < n_layers else 0 for layer, width in enumerate(widths))


def _value(fields: Mapping[str, Any], key: str, default: Any = None) -> Any:
    found = fields.get(key)
    if found is None:
        if default is None and not key.endswith("sliding_window"):
            raise KeyError(key)
        return default
    return found.contents()


def _most(value: Any) -> int:
    return int(max(value)) if isinstance(value, list) else int(value)


def _per_layer(value: Any, n_layers: int) -> tuple[int, ...]:
    if not isinstance(value, list):
        return (int(value),) * n_layers
    if len(value) < n_layers:
        raise ValueError(f"{len(value)} figures for {n_layers} layers")
    return tuple(int(count) for count in value[:n_layers])


def _window(architecture: str, value: Any) -> int:
    """Return the attention window; for Llama 4 chunks of 8192 where the file says nothing, as in llama.cpp."""
    if value is None:
        return 8192 if architecture == "llama4" else 0
    return _most(value)

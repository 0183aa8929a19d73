"""A GGUF model in memory on llama.cpp's low-level API: tokens, one decode step, cuts of its cache.

llama.cpp is not thread-safe: after `open_model` only the worker's thread may call these.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

# Spinning threads starve everything else on a shared machine; OpenMP reads this when the library loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import llama_cpp as llama

from services.nlu.engine import Sampling, ToolSpec
from services.nlu.engines.llama_cpp.constrained import CallGrammar
from services.nlu.engines.llama_cpp.prompt import TemplateRefuses
from services.nlu.engines.llama_cpp.sampling import Grammar, open_chain, pick_allowed
from services.nlu.engines.llama_cpp.template import ChatTemplate, TemplateUnusable
from services.nlu.plan.gguf_file import CANNOT_SHARE
from services.nlu.tool_form import form_of
from services.runtime.errors import NotServing, StartupError
from services.runtime.loading import may_pass

_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR
_errors: deque[str] = deque(maxlen=4)  # of llama.cpp's log, of the load under way


def _note_errors(level: int, text: bytes, _: object) -> None:
    if level == _ERROR_LEVEL:
        _errors.append(text.decode(errors="replace").strip())


_NOTE_ERRORS = llama.llama_log_callback(_note_errors)
_PIECE_BYTES = 256
_MOST_ERROR_CHARS = 300
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
_SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}
_CACHE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "bf16": 30}  # ggml_type
_LOAD_MODES = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}  # (mmap, mlock)
_NUMA = {"disabled": 0, "distribute": 1, "isolate": 2, "numactl": 3}


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Layout of the model in memory."""

    context_tokens: int  # of all conversations together
    n_slots: int  # token sequences kept apart in the cache
    batch_tokens: int  # most tokens in one decode step
    threads: int
    gpu_layers: int  # 0: all on the CPU; -1: all on GPUs
    temperature: float  # 0: always the likeliest token
    split_mode: str = "layer"  # layer, row or none
    tensor_split: tuple[float, ...] = ()  # each GPU's share; empty: equal parts
    main_gpu: int = 0
    type_k: str = "f16"  # of the cache, as llama.cpp calls it
    type_v: str = "f16"
    flash_attn: str = "auto"  # auto, on or off
    n_ubatch: int = 0  # 0: as batch_tokens
    use_mmap: bool = True
    use_mlock: bool = False
    numa: str = "disabled"
    lora: tuple[tuple[Path, float], ...] = ()  # adapters and their scales

    @property
    def has_flash_attention(self) -> bool:
        """Return whether flash attention is used; on a CPU it is slower than without."""
        return self.flash_attn == "on" or (self.flash_attn == "auto" and self.gpu_layers != 0)

    @property
    def ubatch_tokens(self) -> int:
        return min(self.n_ubatch or self.batch_tokens, self.batch_tokens)


@dataclass(frozen=True, slots=True)
class Row:
    """One token of one decode step."""

    slot: int
    position: int
    token: int
    wants_next: bool  # sample what follows it


class DecodeFailed(RuntimeError):
    """llama.cpp could not compute a step."""


def _failure(what: str) -> StartupError:
    """Return the error for a load at which llama.cpp gave nothing back; its log alone has the reason."""
    said = " ".join("; ".join(_errors).split())[:_MOST_ERROR_CHARS]
    why = f"{what} (llama.cpp: {said})" if said else what
    return StartupError(why) if may_pass(RuntimeError(said)) else NotServing(why)


class LlamaModel:
    """One model and one context, shared by every conversation."""

    def __init__(self, path: Path, options: ModelOptions) -> None:
        """Load the file. Raises StartupError, NotServing."""
        llama.llama_backend_init()
        llama.llama_log_set(_NOTE_ERRORS, ctypes.c_void_p(0))
        _errors.clear()
        if options.numa != "disabled":
            llama.llama_numa_init(_NUMA[options.numa])
        model_params, self._shares = _model_params(options)
        self._model = llama.llama_model_load_from_file(str(path).encode(), model_params)
        if not self._model:
            raise _failure(f"{path} is not a GGUF model that llama.cpp can load: fetch it again or name another")
        if llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model):
            raise NotServing(f"{path}: {CANNOT_SHARE}")
        if llama.llama_model_is_diffusion(self._model):
            raise NotServing(f"{path} does not write word by word: name a model that is made for conversations")
        self._context = llama.llama_init_from_model(self._model, _context_params(options))
        if not self._context:
            raise _failure(
                f"no memory for {options.context_tokens} tokens, or no {options.type_k}/{options.type_v} cache on this "
                "device: lower NLU_CONTEXT_TOKENS, or set NLU_TYPE_K, NLU_TYPE_V and NLU_FLASH_ATTN to what it has"
            )
        self._apply_adapters(options)
        self._memory = llama.llama_get_memory(self._context)
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._batch = llama.llama_batch_init(options.batch_tokens, 0, 1)
        self._template = llama.llama_model_chat_template(self._model, None)
        self._jinja: ChatTemplate | None = None  # in place of llama.cpp's own, where that does not know the template
        self._tool_role = "ipython" if b"ipython" in (self._template or b"") else "tool"  # as Llama 3 and 4 have it
        self._temperature = options.temperature
        self._greedy = open_chain(0)  # keeps no state: every reply may use it
        self._samplers: dict[int, Any] = {}  # of the replies under way that draw, by number
        self._sampler = self._greedy
        self._seeds = count(1)
        self._n_vocab = llama.llama_vocab_n_tokens(self._vocab)
        self._batch_tokens = options.batch_tokens
        self._check_template(path)
        self._tool_template = self._read_tool_template()
        self.tool_form = form_of(self._tool_template) if self._tool_template else None

    def _check_template(self, path: Path) -> None:
        """Take the file's own template where llama.cpp does not know it. Raises NotServing."""
        greeting = [("user", "Hello")]
        try:
            self.render(greeting, opens_reply=True)
        except DecodeFailed as unknown:
            if not self._template:
                raise NotServing(f"{path} has no chat template: name a model that is made for conversations") from None
            try:
                self._jinja = ChatTemplate(self._template.decode())
                self.render(greeting, opens_reply=True)
            except (TemplateUnusable, DecodeFailed, UnicodeDecodeError) as error:
                raise NotServing(f"{path}: {unknown}, and {error}: name a model with a template that works") from error

    def _read_tool_template(self) -> ChatTemplate | None:
        """Return the file's template as Jinja, which knows tools. None: it does not compile here."""
        try:
            return self._jinja or ChatTemplate((self._template or b"").decode())
        except (TemplateUnusable, UnicodeDecodeError):
            return None

    def _apply_adapters(self, options: ModelOptions) -> None:
        """Apply the adapters, which are freed with the model. Raises StartupError."""
        found, scales = [], []
        for path, scale in options.lora:
            adapter = llama.llama_adapter_lora_init(self._model, str(path).encode()) if path.is_file() else None
            if not adapter:
                raise _failure(f"NLU_LORA: {path} is not there, or no LoRA adapter of this model")
            found.append(adapter)
            scales.append(scale)
        if found:
            adapters, factors = (
                (llama.llama_adapter_lora_p * len(found))(*found),
                (ctypes.c_float * len(found))(*scales),
            )
            llama.llama_set_adapters_lora(self._context, adapters, len(found), factors)

    def close(self) -> None:
        for sampler in (self._greedy, *self._samplers.values()):
            llama.llama_sampler_free(sampler)
        llama.llama_batch_free(self._batch)
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)

    # Tokens

    def tokenize(self, text: str, *, is_template: bool) -> list[int]:
        """Return the tokens of a text. Only the template's own text may hold special tokens; people's words never
        do.
        """
        raw = text.encode()
        room = len(raw) + 8
        tokens = (llama.llama_token * room)()
        count = llama.llama_tokenize(self._vocab, raw, len(raw), tokens, room, False, is_template)
        return list(tokens[:count])

    def bos(self) -> list[int]:
        """The token that every prompt of this model begins with; empty: none."""
        token = llama.llama_vocab_bos(self._vocab)
        return [token] if token >= 0 and llama.llama_vocab_get_add_bos(self._vocab) else []

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token; they may end within a character. Special tokens have none."""
        return self._bytes_of(token, is_special=False)

    def spelled(self, token: int) -> bytes:
        """Return the bytes of a token; special ones by their names, as `<|python_start|>`."""
        return self._bytes_of(token, is_special=True)

    def _bytes_of(self, token: int, *, is_special: bool) -> bytes:
        piece = ctypes.create_string_buffer(_PIECE_BYTES)
        count = llama.llama_token_to_piece(self._vocab, token, piece, _PIECE_BYTES, 0, is_special)
        return piece.raw[: max(count, 0)]

    def ends_reply(self, token: int) -> bool:
        return bool(llama.llama_vocab_is_eog(self._vocab, token))

    def render(self, messages: Sequence[tuple[str, str]], *, opens_reply: bool) -> str:
        """Render (role, text) messages in the model's own chat template."""
        messages = [(self._tool_role if role == "tool" else role, text) for role, text in messages]
        if self._jinja is not None:
            try:
                return self._jinja.render(
                    [{"role": role, "content": text} for role, text in messages], opens_reply=opens_reply
                )
            except TemplateUnusable as error:
                raise DecodeFailed(str(error)) from error
        chat = (llama.llama_chat_message * len(messages))()
        for slot, (role, text) in zip(chat, messages, strict=True):
            slot.role, slot.content = role.encode(), text.encode()
        room = 1024 + 4 * sum(len(text.encode()) + 64 for _, text in messages)
        rendered = ctypes.create_string_buffer(room)
        count = llama.llama_chat_apply_template(self._template, chat, len(messages), opens_reply, rendered, room)
        if not 0 <= count <= room:
            raise DecodeFailed("llama.cpp does not know the chat template of this model")
        return rendered.raw[:count].decode()

    def render_tools(self, messages: Sequence[dict[str, Any]], *, tools: Sequence[ToolSpec], opens_reply: bool) -> str:
        """Render messages as OpenAI writes them, and the tools, in the file's own template. Raises TemplateRefuses."""
        if self._tool_template is None:
            raise TemplateRefuses("the chat template does not compile")
        try:
            return self._tool_template.render(messages, opens_reply=opens_reply, tools=tools)
        except TemplateUnusable as error:
            raise TemplateRefuses(str(error)) from error

    # The cache

    def copy(self, from_slot: int, to_slot: int, n_tokens: int) -> None:
        """Share the first n tokens of a slot with an empty one; the cells are not copied."""
        llama.llama_memory_seq_cp(self._memory, from_slot, to_slot, 0, n_tokens)

    def cut(self, slot: int, n_tokens: int) -> bool:
        """Keep the first n tokens of a slot. False: this kind of model cannot, and the slot is now empty."""
        if llama.llama_memory_seq_rm(self._memory, slot, n_tokens, -1):
            return True
        llama.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return False

    def save(self, slot: int, tokens: Sequence[int], path: Path) -> None:
        """Write what was computed for a slot to a file; no error when it cannot be written."""
        partial = path.with_suffix(".partial")
        array = (llama.llama_token * len(tokens))(*tokens)
        if llama.llama_state_seq_save_file(self._context, str(partial).encode(), slot, array, len(tokens)):
            partial.replace(path)

    def restore(self, slot: int, tokens: Sequence[int], path: Path) -> bool:
        """Fill an empty slot from a file `save` wrote for these tokens. False: it was not, and the slot is empty."""
        if not path.is_file():
            return False
        array, count = (llama.llama_token * len(tokens))(), ctypes.c_size_t()
        read = llama.llama_state_seq_load_file(
            self._context, str(path).encode(), slot, array, len(tokens), ctypes.byref(count)
        )
        if read and list(array[: count.value]) == list(tokens):
            return True
        self.cut(slot, 0)
        return False

    # One step

    def decode(self, rows: Sequence[Row]) -> bool:
        """Compute one step. False: the cache has no room, nothing was computed. Raises DecodeFailed."""
        if len(rows) > self._batch_tokens:
            raise DecodeFailed(f"{len(rows)} tokens in a step of at most {self._batch_tokens}")
        batch = self._batch
        for i, row in enumerate(rows):
            batch.token[i] = row.token
            batch.pos[i] = row.position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = row.slot
            batch.logits[i] = row.wants_next
        batch.n_tokens = len(rows)
        code = llama.llama_decode(self._context, batch)
        if code not in {0, 1}:
            raise DecodeFailed(f"llama_decode returned {code}")
        return bool(code == 0)

    def open_sampler(self, sampling: Sampling) -> int:
        """Open a sampler for one reply; return its number. 0: the likeliest token, which needs no state."""
        temperature = self._temperature if sampling.temperature is None else sampling.temperature
        if temperature <= 0:
            return 0
        number = next(self._seeds)
        seed = number if sampling.seed is None else sampling.seed
        self._samplers[number] = open_chain(temperature, 0.95 if sampling.top_p is None else sampling.top_p, seed)
        return number

    def use_sampler(self, number: int) -> None:
        """Draw the tokens from here on with this sampler."""
        self._sampler = self._samplers[number] if number else self._greedy

    def close_sampler(self, number: int) -> None:
        if number:
            self.use_sampler(0)
            llama.llama_sampler_free(self._samplers.pop(number))

    def sample(self, row: int) -> int:
        """Sample the token after a row of the last step that wanted one."""
        return int(llama.llama_sampler_sample(self._sampler, self._context, row))

    def open_grammar(self, rules: str) -> Grammar:
        """Begin a pass through a grammar, for one tool call. Raises ValueError."""
        return Grammar(self._vocab, rules, end_token=llama.llama_vocab_eos(self._vocab))

    def sample_allowed(self, row: int, grammar: CallGrammar) -> int | None:
        """Sample the token after a row among those that the grammar allows. None: it allows none."""
        if not isinstance(grammar, Grammar):
            raise TypeError("a grammar of this model is opened by open_grammar")
        return pick_allowed(self._context, row, self._n_vocab, grammar, self._sampler)


def _model_params(options: ModelOptions) -> tuple[llama.llama_model_params, object]:
    """Return the parameters, and the array that they point to; the array must live as long as they are used."""
    params: llama.llama_model_params = llama.llama_model_default_params()
    params.n_gpu_layers = options.gpu_layers
    params.split_mode = _SPLIT_MODES[options.split_mode]
    params.main_gpu = options.main_gpu
    params.load_mode = _LOAD_MODES[options.use_mmap, options.use_mlock]
    shares = (ctypes.c_float * llama.LLAMA_MAX_DEVICES)(*options.tensor_split)
    if options.tensor_split:
        params.tensor_split = shares
    return params, shares


def _context_params(options: ModelOptions) -> llama.llama_context_params:
    params: llama.llama_context_params = llama.llama_context_default_params()
    params.n_ctx = options.context_tokens
    params.n_batch, params.n_ubatch = options.batch_tokens, options.ubatch_tokens
    params.n_seq_max = options.n_slots
    params.n_outputs_max = options.n_slots  # one token a slot and step: room for a whole batch's logits is not needed
    params.n_threads = params.n_threads_batch = options.threads
    params.kv_unified = True  # one pool of cells: sharing a prefix copies tags, not cells
    params.swa_full = True  # sliding-window models keep what a cut goes back to
    params.flash_attn_type = _FLASH_ATTENTION["on" if options.has_flash_attention else "off"]
    if options.flash_attn == "auto" and options.gpu_layers != 0:
        params.flash_attn_type = _FLASH_ATTENTION["auto"]
    params.type_k, params.type_v = _CACHE_TYPES[options.type_k], _CACHE_TYPES[options.type_v]
    params.no_perf = True
    return params

"""A Hugging Face model in memory, with the library's own continuous batching in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from services.nlu.settings import NluSettings
from services.runtime.cpu import usable_cpus
from services.runtime.errors import NotServing

_PAGE_TOKENS = 32  # of the cache; the library's own 256 is for long documents
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

logging.getLogger("transformers").setLevel(logging.ERROR)


class BatchedModel:
    """One model, its tokenizer and the manager that batches requests."""

    def __init__(self, settings: NluSettings) -> None:
        """Load. Raises NotServing for a model that cannot hold conversations, and what the library raises."""
        name = settings.transformers_model
        path = Path(name).expanduser()
        source = str(path) if path.exists() else name
        torch.set_num_threads(settings.threads or usable_cpus())
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            source, trust_remote_code=False, **_load_options(settings)
        )
        if not getattr(self.tokenizer, "chat_template", None):
            raise NotServing(f"{name} has no chat template: name a model that is made for conversations")
        self._model.eval()
        self.context_tokens = int(getattr(self._model.config, "max_position_embeddings", 0) or settings.context_tokens)
        self.cache_tokens = max(1, settings.context_tokens // _PAGE_TOKENS) * _PAGE_TOKENS
        self._default_temperature = settings.temperature
        self.end_tokens = _end_tokens(self._model, self.tokenizer)
        self.manager: Any = None

    def start(self, settings: NluSettings) -> threading.Thread:
        """Begin to batch; returns the thread that computes."""
        # The library makes a sampler of a kind only where the shared settings ask for one that does something.
        generation = transformers.GenerationConfig(
            do_sample=True,
            temperature=0.7,
            top_p=0.95,
            top_k=40,
            max_new_tokens=settings.max_reply_tokens,
            eos_token_id=list(self.end_tokens) or -1,
            pad_token_id=0,
        )
        batching = transformers.ContinuousBatchingConfig(
            page_size=_PAGE_TOKENS,
            num_blocks=self.cache_tokens // _PAGE_TOKENS,
            max_batch_tokens=settings.batch_tokens,
            per_request_processors=True,
        )
        self.manager = self._model.init_continuous_batching(
            generation_config=generation, continuous_batching_config=batching
        )
        self.manager.start()
        thread: threading.Thread = self.manager._generation_thread  # the watchdog's: the library has no other name
        return thread

    def ask(
        self, request_id: str, tokens: list[int], *, max_tokens: int, give: Callable[[Any], None], **sampling: Any
    ) -> bool:
        """Hand a request to the batch; `give` is called on this event loop with each output. False: it takes none."""
        self.manager.register_result_handler(request_id, give)
        taken = self.manager.add_request(
            tokens,
            request_id=request_id,
            max_new_tokens=max_tokens,
            streaming=True,
            eos_token_id=list(self.end_tokens) or -1,
            **sampling,
        )
        if taken is None:
            self.drop(request_id)
        return taken is not None

    def sampling(self, temperature: float | None, top_p: float | None) -> dict[str, Any]:
        """Return the library's options for the sampling of a request. A temperature of 0 takes the likeliest token
        only.
        """
        wanted = self._default_temperature if temperature is None else temperature
        if wanted <= 0:
            return {"temperature": 1.0, "top_k": 1, "top_p": 1.0}
        return {"temperature": wanted, "top_k": 40, "top_p": 0.95 if top_p is None else top_p}

    def cancel(self, request_id: str) -> None:
        """Cancel a request: no more than the step under way is spent on it."""
        self.manager.cancel_request(request_id)

    def drop(self, request_id: str) -> None:
        """Forget the listener of a request: a cancelled one has no last output."""
        self.manager.output_router.result_handlers.pop(request_id, None)

    def stop(self) -> None:
        """Blocks until the step under way is over."""
        if self.manager is not None:
            self.manager.stop(block=True, timeout=10.0, hard_stop=True)


def _load_options(settings: NluSettings) -> dict[str, Any]:
    """Return the options for loading the model. Raises NotServing."""
    has_cuda = torch.cuda.is_available()
    options: dict[str, Any] = {"dtype": _DTYPES.get(settings.transformers_dtype, "auto")}
    if has_cuda:
        options["device_map"] = "auto"
    if settings.transformers_load_in_4bit:
        if not has_cuda:
            raise NotServing("NLU_TRANSFORMERS_LOAD_IN_4BIT needs a CUDA device, and torch finds none")
        options["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float16
        )
    return options


def _end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that end a reply: the tokenizer's own, and those that the model's file names."""
    named = getattr(model.generation_config, "eos_token_id", None)
    found = [tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])]
    return tuple(dict.fromkeys(token for token in found if token is not None))

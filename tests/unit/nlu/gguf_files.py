"""GGUF files made here: a tiny random Llama 4 to decode, and headers of large models without their bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, TokenType

_Q4, _Q6, _F32 = GGMLQuantizationType.Q4_K, GGMLQuantizationType.Q6_K, GGMLQuantizationType.F32
LLAMA4_SPECIALS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|header_start|>",
    "<|header_end|>",
    "<|eom|>",
    "<|eot|>",
    "<|python_start|>",
    "<|python_end|>",
)
LLAMA4_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|header_start|>ipython<|header_end|>\\n\\n' + message.content + '<|eot|>' }}
    {%- elif message.tool_calls %}
        {{- '<|header_start|>assistant<|header_end|>\\n\\n<|python_start|>' }}
        {{- (message.content or '') + '<|python_end|>' }}
        {%- for call in message.tool_calls %}
            {{- '{"name": "' + call.function.name + '", "parameters": ' + (call.function.arguments | tojson) + '}' }}
        {%- endfor %}
        {{- '<|eot|>' }}
    {%- else %}
        {{- '<|header_start|>' + message.role + '<|header_end|>\\n\\n' }}
        {%- if loop.first and message.role == 'system' and tools %}
            {%- for tool in tools %}
                {{- tool | tojson(indent=4) + '\\n\\n' }}
            {%- endfor %}
        {%- endif %}
        {{- message.content | trim + '<|eot|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|header_start|>assistant<|header_end|>\\n\\n' }}
{%- endif %}
"""
"""Written for these tests after the format that Meta publishes for Llama 4: headers, two line feeds, <|eot|>, results
of tools from `ipython`, calls behind <|python_start|>."""


def byte_tokens() -> list[str]:
    """The 256 tokens of GPT-2's alphabet of bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def write_tiny_llama4(path: Path, *, n_layers: int = 4, n_embd: int = 64, template: str = LLAMA4_TEMPLATE) -> Path:
    """A random model of the architecture llama4: mixture of experts, shared expert, chunked attention."""
    n_heads, n_kv, head, n_ff, n_experts = 4, 2, 32, 32, 4
    writer = GGUFWriter(path, "llama4")
    writer.add_context_length(16384)
    _describe(writer, "tiny random llama4", (n_layers, n_embd, n_heads, n_kv, head, n_ff, n_experts))
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(500000.0)
    _add_vocabulary(writer, template)
    add = _random_tensors(writer, n_embd)
    for layer in range(n_layers):
        block = f"blk.{layer}"
        add(f"{block}.attn_norm.weight", n_embd)
        add(f"{block}.attn_q.weight", n_heads * head, n_embd)
        add(f"{block}.attn_k.weight", n_kv * head, n_embd)
        add(f"{block}.attn_v.weight", n_kv * head, n_embd)
        add(f"{block}.attn_output.weight", n_embd, n_heads * head)
        add(f"{block}.ffn_norm.weight", n_embd)
        add(f"{block}.ffn_gate_inp.weight", n_experts, n_embd)
        add(f"{block}.ffn_gate_exps.weight", n_experts, n_ff, n_embd)
        add(f"{block}.ffn_up_exps.weight", n_experts, n_ff, n_embd)
        add(f"{block}.ffn_down_exps.weight", n_experts, n_embd, n_ff)
        add(f"{block}.ffn_gate_shexp.weight", n_ff, n_embd)
        add(f"{block}.ffn_up_shexp.weight", n_ff, n_embd)
        add(f"{block}.ffn_down_shexp.weight", n_embd, n_ff)
    _write(writer)
    return path


def write_tiny_mamba(path: Path, *, n_embd: int = 32) -> Path:
    """A random model of the architecture mamba, whose layers keep a state in place of keys and values."""
    n_inner, n_state, n_rank, n_kernel = 2 * n_embd, 4, 4, 4
    writer = GGUFWriter(path, "mamba")
    writer.add_context_length(4096)
    writer.add_embedding_length(n_embd)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(2)
    writer.add_ssm_conv_kernel(n_kernel)
    writer.add_ssm_inner_size(n_inner)
    writer.add_ssm_state_size(n_state)
    writer.add_ssm_time_step_rank(n_rank)
    _add_vocabulary(writer, LLAMA4_TEMPLATE)
    add = _random_tensors(writer, n_embd)
    for layer in range(2):
        block = f"blk.{layer}"
        add(f"{block}.attn_norm.weight", n_embd)
        add(f"{block}.ssm_in.weight", 2 * n_inner, n_embd)
        add(f"{block}.ssm_conv1d.weight", n_inner, n_kernel)
        add(f"{block}.ssm_conv1d.bias", n_inner)
        add(f"{block}.ssm_x.weight", n_rank + 2 * n_state, n_inner)
        add(f"{block}.ssm_dt.weight", n_inner, n_rank)
        add(f"{block}.ssm_dt.bias", n_inner)
        add(f"{block}.ssm_a", n_inner, n_state)
        add(f"{block}.ssm_d", n_inner)
        add(f"{block}.ssm_out.weight", n_embd, n_inner)
    _write(writer)
    return path


def write_tiny_deepseek(path: Path, *, n_layers: int = 3, n_embd: int = 64) -> Path:
    """A random model of the architecture deepseek2: a latent cache (MLA), and a count of experts for each layer."""
    n_heads, n_rope, n_nope, n_value, n_latent, n_query, n_ff, n_experts = 4, 16, 16, 16, 32, 32, 32, 4
    writer = GGUFWriter(path, "deepseek2")
    writer.add_context_length(4096)
    writer.add_embedding_length(n_embd)
    writer.add_block_count(n_layers)
    writer.add_leading_dense_block_count(1)
    writer.add_feed_forward_length(2 * n_ff)
    writer.add_expert_feed_forward_length(n_ff)
    writer.add_expert_count(n_experts)
    writer.add_array("deepseek2.expert_used_count", [2] * n_layers)
    writer.add_expert_shared_count(1)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(1)
    writer.add_q_lora_rank(n_query)
    writer.add_kv_lora_rank(n_latent)
    writer.add_key_length(n_latent + n_rope)
    writer.add_value_length(n_latent)
    writer.add_key_length_mla(n_nope + n_rope)
    writer.add_value_length_mla(n_value)
    writer.add_rope_dimension_count(n_rope)
    _add_vocabulary(writer, LLAMA4_TEMPLATE)
    add = _random_tensors(writer, n_embd)
    for layer in range(n_layers):
        block = f"blk.{layer}"
        for norm, width in (("attn", n_embd), ("attn_q_a", n_query), ("attn_kv_a", n_latent), ("ffn", n_embd)):
            add(f"{block}.{norm}_norm.weight", width)
        add(f"{block}.attn_q_a.weight", n_query, n_embd)
        add(f"{block}.attn_q_b.weight", n_heads * (n_nope + n_rope), n_query)
        add(f"{block}.attn_kv_a_mqa.weight", n_latent + n_rope, n_embd)
        add(f"{block}.attn_k_b.weight", n_heads, n_latent, n_nope)
        add(f"{block}.attn_v_b.weight", n_heads, n_value, n_latent)
        add(f"{block}.attn_output.weight", n_embd, n_heads * n_value)
        if layer:
            add(f"{block}.ffn_gate_inp.weight", n_experts, n_embd)
            for part, shape in (("gate", (n_ff, n_embd)), ("up", (n_ff, n_embd)), ("down", (n_embd, n_ff))):
                add(f"{block}.ffn_{part}_exps.weight", n_experts, *shape)
                add(f"{block}.ffn_{part}_shexp.weight", *shape)
        else:
            for part, shape in (("gate", (2 * n_ff, n_embd)), ("up", (2 * n_ff, n_embd)), ("down", (n_embd, 2 * n_ff))):
                add(f"{block}.ffn_{part}.weight", *shape)
    _write(writer)
    return path


def write_windowed_header(path: Path, *, n_layers: int = 6) -> Path:
    """A header as Gemma 4's: five layers in six have a window and shorter heads, the last two use the cache of earlier
    ones, and each layer has an embedding of its own.
    """
    n_embd, n_heads, n_ff, n_vocab = 512, 4, 1024, 1024
    header = _Header(path, "gemma4")
    writer = header.writer
    writer.add_name("Gemma 4 like")
    writer.add_context_length(32768)
    writer.add_embedding_length(n_embd)
    writer.add_block_count(n_layers)
    writer.add_feed_forward_length([n_ff] * n_layers)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv([2] * (n_layers - 1) + [1])
    writer.add_key_length(256)
    writer.add_value_length(256)
    writer.add_key_length_swa(128)
    writer.add_value_length_swa(128)
    writer.add_sliding_window(1024)
    writer.add_sliding_window_pattern([layer % 3 != 2 for layer in range(n_layers)])
    writer.add_shared_kv_layers(2)
    header.add("token_embd.weight", _Q4, n_vocab, n_embd)
    header.add("per_layer_token_embd.weight", _Q4, n_vocab, n_layers * 256)
    header.add("output_norm.weight", _F32, n_embd)
    for layer in range(n_layers):
        header.add_attention(f"blk.{layer}", _Q4, n_embd, (n_heads, 2, 256))
    return header.write()


def write_scout_header(path: Path, *, n_layers: int = 48) -> Path:
    """A file with the metadata and the tensors of Llama 4 Scout in Q4_K_M; its 65 GB are a hole in the file."""
    n_embd, n_heads, n_kv, head, n_ff, n_experts, n_vocab = 5120, 40, 8, 128, 8192, 16, 202048
    header = _Header(path, "llama4")
    header.writer.add_context_length(10485760)
    sizes = (n_layers, n_embd, n_heads, n_kv, head, n_ff, n_experts)
    _describe(header.writer, "Llama-4-Scout-17B-16E-Instruct", sizes)
    header.add_ends(n_vocab, n_embd)
    for layer in range(n_layers):
        block, better = f"blk.{layer}", _Q6 if layer % 2 else _Q4
        header.add_attention(block, better, n_embd, (n_heads, n_kv, head))
        header.add(f"{block}.ffn_gate_inp.weight", _F32, n_experts, n_embd)
        header.add(f"{block}.ffn_gate_exps.weight", _Q4, n_experts, n_ff, n_embd)
        header.add(f"{block}.ffn_up_exps.weight", _Q4, n_experts, n_ff, n_embd)
        header.add(f"{block}.ffn_down_exps.weight", better, n_experts, n_embd, n_ff)
        header.add(f"{block}.ffn_gate_shexp.weight", _Q4, n_ff, n_embd)
        header.add(f"{block}.ffn_up_shexp.weight", _Q4, n_ff, n_embd)
        header.add(f"{block}.ffn_down_shexp.weight", better, n_embd, n_ff)
    return header.write()


def write_dense_header(path: Path, *, n_layers: int = 28) -> Path:
    """The same for Qwen2.5 7B Instruct, dense."""
    n_embd, n_heads, n_kv, head, n_ff, n_vocab = 3584, 28, 4, 128, 18944, 152064
    header = _Header(path, "qwen2")
    header.writer.add_name("Qwen2.5 7B Instruct")
    header.writer.add_context_length(32768)
    header.writer.add_embedding_length(n_embd)
    header.writer.add_block_count(n_layers)
    header.writer.add_feed_forward_length(n_ff)
    header.writer.add_head_count(n_heads)
    header.writer.add_head_count_kv(n_kv)
    header.add_ends(n_vocab, n_embd)
    for layer in range(n_layers):
        block, better = f"blk.{layer}", _Q6 if layer % 2 else _Q4
        header.add_attention(block, better, n_embd, (n_heads, n_kv, head))
        header.add(f"{block}.ffn_gate.weight", _Q4, n_ff, n_embd)
        header.add(f"{block}.ffn_up.weight", _Q4, n_ff, n_embd)
        header.add(f"{block}.ffn_down.weight", better, n_embd, n_ff)
    return header.write()


class _Header:
    """Writes metadata and the descriptions of tensors, and no tensor."""

    def __init__(self, path: Path, architecture: str) -> None:
        self.writer = GGUFWriter(path, architecture)
        self._path, self._n_bytes = path, 0

    def add(self, name: str, kind: GGMLQuantizationType, *shape: int) -> None:
        block, size = GGML_QUANT_SIZES[kind]
        row = shape[-1] * size // block
        n_bytes = int(np.prod(shape[:-1], dtype=np.int64)) * row
        is_plain = kind is _F32
        dtype = np.dtype(np.float32) if is_plain else np.dtype(np.uint8)
        self.writer.add_tensor_info(name, shape if is_plain else (*shape[:-1], row), dtype, n_bytes, raw_dtype=kind)
        self._n_bytes += -(-n_bytes // 32) * 32

    def add_ends(self, n_vocab: int, n_embd: int) -> None:
        self.add("token_embd.weight", _Q4, n_vocab, n_embd)
        self.add("output_norm.weight", _F32, n_embd)
        self.add("output.weight", _Q6, n_vocab, n_embd)

    def add_attention(self, block: str, better: GGMLQuantizationType, n_embd: int, heads: tuple[int, int, int]) -> None:
        n_heads, n_kv, head = heads
        self.add(f"{block}.attn_norm.weight", _F32, n_embd)
        self.add(f"{block}.attn_q.weight", _Q4, n_heads * head, n_embd)
        self.add(f"{block}.attn_k.weight", _Q4, n_kv * head, n_embd)
        self.add(f"{block}.attn_v.weight", better, n_kv * head, n_embd)
        self.add(f"{block}.attn_output.weight", _Q4, n_embd, n_heads * head)
        self.add(f"{block}.ffn_norm.weight", _F32, n_embd)

    def write(self) -> Path:
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_ti_data_to_file()
        self.writer.close()
        begin = -(-self._path.stat().st_size // 32) * 32
        with self._path.open("r+b") as file:
            file.truncate(begin + self._n_bytes)
        return self._path


def _add_vocabulary(writer: GGUFWriter, template: str) -> None:
    tokens = [*byte_tokens(), *LLAMA4_SPECIALS]
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama4")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(LLAMA4_SPECIALS))
    writer.add_token_merges(["Ġ t", "h e"])
    writer.add_bos_token_id(tokens.index("<|begin_of_text|>"))
    writer.add_eos_token_id(tokens.index("<|eot|>"))
    writer.add_add_bos_token(True)
    writer.add_chat_template(template)


def _random_tensors(writer: GGUFWriter, n_embd: int) -> Callable[..., None]:
    """Add the embeddings and the output; return what adds any other tensor, by its name and shape."""
    random, n_vocab = np.random.default_rng(4), 256 + len(LLAMA4_SPECIALS)

    def add(name: str, *shape: int) -> None:
        values = random.normal(0, 0.05, shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(name, values.astype(np.float32))

    add("token_embd.weight", n_vocab, n_embd)
    add("output_norm.weight", n_embd)
    add("output.weight", n_vocab, n_embd)
    return add


def _describe(writer: GGUFWriter, name: str, sizes: tuple[int, int, int, int, int, int, int]) -> None:
    n_layers, n_embd, n_heads, n_kv, head, n_ff, n_experts = sizes
    writer.add_name(name)
    writer.add_embedding_length(n_embd)
    writer.add_block_count(n_layers)
    writer.add_feed_forward_length(n_ff * 2)
    writer.add_expert_feed_forward_length(n_ff)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(n_kv)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_expert_count(n_experts)
    writer.add_expert_used_count(1)
    writer.add_interleave_moe_layer_step(1)


def _write(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

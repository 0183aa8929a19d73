"""Any server with OpenAI's chat completions: vLLM, llama-server, SGLang, or a cloud."""

"""Engine `openai`: any server with OpenAI's chat completions, as vLLM, llama-server, SGLang, or a cloud."""

RUN := uv run --no-sync

.PHONY: protos
protos: ## Make the stubs in protos/gen again, and check the protos
	$(RUN) buf lint
	$(RUN) buf format -d --exit-code
	rm -rf protos/gen && mkdir -p protos/gen
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(RUN) python -m grpc_tools.protoc -I protos \
	  --python_out=protos/gen --grpc_python_out=protos/gen \
	  --mypy_out=protos/gen --mypy_grpc_out=protos/gen \
	  $$(find protos/voice -name '*.proto' | sort)

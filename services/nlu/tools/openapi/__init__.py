"""Operations of any HTTP API, by its OpenAPI 3 description."""

"""Makes the vectors of the examples that come with the languages and agents: python -m deploy.learn_examples

A start without them computes each, some 15 ms a sentence, and keeps it in NLU_UNDERSTANDING_CACHE_DIR. Run it when an
asking.toml or an agent of deploy/agents has changed much, and commit the file it writes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from services.nlu.agent.graph.asking import examples_of
from services.nlu.agent.profile import read_agents
from services.nlu.agent.understanding import PACKAGED, E5Embedder, Examples, kept_vectors, key_of
from services.nlu.settings import NluSettings


def main() -> None:
    """Write the vectors, those that are known from the file or the cache."""
    settings = NluSettings()
    embedder = E5Embedder()
    every: list[Examples] = [examples_of(profile) for profile in read_agents(settings.agents_dir).values()]
    texts = sorted({text for one in every for kinds in one.values() for texts in kinds.values() for text in texts})
    path = PACKAGED / f"{embedder.name}.npz"
    known = kept_vectors(path) | kept_vectors(Path(settings.understanding_cache_dir) / path.name)
    missing = [text for text in texts if key_of(text) not in known]
    made = dict(zip(map(key_of, missing), embedder.embed(missing), strict=True)) if missing else {}
    vectors = np.stack([(known | made)[key_of(text)] for text in texts]).astype(np.float16)
    path.parent.mkdir(exist_ok=True)
    np.savez(path, keys=np.array([key_of(text) for text in texts]), vectors=vectors)
    print(f"{path}: {len(texts)} sentences, {len(missing)} of them new")


if __name__ == "__main__":
    main()

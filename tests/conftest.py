"""What holds for every test."""

from importlib.util import find_spec

from hypothesis import settings

collect_ignore_glob = [] if find_spec("nemo") else ["nemo/*"]  # make test-nemo has the environment for these

settings.register_profile("busy", deadline=None)  # an example may be slow on a busy machine and right all the same
settings.load_profile("busy")

"""What holds for every test: a scratch folder as the working directory, and calm Hypothesis.

Trial's ``mktemp`` and whatever else writes relative paths must not litter the checkout.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kiro2api-tests"
"""What is worth keeping between runs; may be deleted at any time."""

# Hypothesis keeps tables about Unicode on disk, by default in the working directory.
set_hypothesis_home_dir(CACHE / "hypothesis")
settings.register_profile("kiro2api", deadline=None, max_examples=50, database=None)
settings.load_profile("kiro2api")


@pytest.fixture(scope="session", autouse=True)
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The working directory of all tests."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("scratch"))
    yield
    os.chdir(before)

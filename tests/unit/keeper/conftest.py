from pathlib import Path

import pytest

from stillup.keeper.settings import Settings


@pytest.fixture
def settings() -> Settings:
    return Settings("data1", "127.0.0.1", 9200, {"data2": "127.0.0.2"}, "web1", Path("/no/key"))

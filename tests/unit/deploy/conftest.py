"""Bundles are rendered once a test run: the same farm gives the same, and thousands are asked."""

from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from stillup.deploy import survey, wholeness, work
from stillup.model.farm import Farm, Secrets, Server
from stillup.node.bundle import Bundle, Facts
from stillup.node.codec import encode
from stillup.parts.bundle import wanted


@pytest.fixture(scope="package", autouse=True)
def rendered_once() -> Iterator[None]:
    code: Mapping[str, str] = {}

    @cache
    def remembered(
        farm: Farm,
        server: Server,
        secrets: Secrets,
        facts: Facts,
        keeps_old: bool,  # noqa: FBT001 - the cache's key
    ) -> Bundle:
        return wanted(farm, server, secrets, facts, code, keeps_old=keeps_old)

    def wanted_once(
        farm: Farm,
        server: Server,
        secrets: Secrets,
        facts: Facts,
        given: Mapping[str, str],
        *,
        keeps_old: bool = False,
    ) -> Bundle:
        nonlocal code
        code = given
        return remembered(farm, server, secrets, facts, keeps_old)

    async def no_time(_seconds: float) -> None:
        """The script's grants last no time."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "pause", no_time)
        patch.setattr(wholeness, "LOOK_EVERY_S", 0.0)
        patch.setattr(survey, "wanted", wanted_once)
        patch.setattr(survey, "encode", cache(encode))
        yield

"""A bundle as JSON and back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillup.errors import InputRefused
from stillup.node.bundle import (
    FORMAT,
    Absent,
    Bundle,
    Check,
    Command,
    Directory,
    File,
    Health,
    Link,
    Unit,
    User,
)
from stillup.node.codec import decode, encode, fingerprint
from stillup.node.message import Json, JsonObject

FULL = Bundle(
    farm="shop",
    server="lb1",
    packages=("haproxy",),
    users=(User("stillup", "/nonexistent", groups=("adm",)),),
    directories=(Directory("/srv/site", 0o750, "root", "www-data"),),
    sysctls=(("net.ipv4.ip_nonlocal_bind", "1"),),
    files=(File("/etc/key", "s3cret ü\u2028\n", 0o600, secret=True),),
    links=(Link("/etc/link", "/etc/key"),),
    absent=(Absent("/etc/default"),),
    checks=(Check("haproxy", ("haproxy", "-c"), ("/etc/key",)),),
    commands=(Command("make", ("a",), ("b",), "in", "also in", "x.service", 2.5),),
    units=(Unit("x.service", enabled=False, reload_on=("/etc/",), restart_on=("/etc/key",)),),
    healths=(Health("answers", ("curl", "x"), 2.5),),
)


def test_a_bundle_comes_back_as_it_went() -> None:
    assert decode(json.loads(json.dumps(encode(FULL)))) == FULL


@given(st.text(), st.integers(0, 0o7777), st.floats(0, 1e6, allow_nan=False))
def test_any_text_mode_and_time_comes_back(text: str, mode: int, within: float) -> None:
    file = File("/etc/x", text.encode("utf-8", "replace").decode(), mode)
    bundle = replace(FULL, files=(file,), healths=(Health("h", (), within),))
    assert decode(json.loads(json.dumps(encode(bundle)))) == bundle


def test_equal_bundles_have_one_fingerprint() -> None:
    whole = Bundle("shop", "db1", healths=(Health("h", ("true",), within_s=60),))
    parted = Bundle("shop", "db1", healths=(Health("h", ("true",), within_s=60.0),))
    assert whole == parted
    assert fingerprint(whole) == fingerprint(parted) == fingerprint(decode(encode(whole)))


def test_the_fingerprint_tells_bundles_apart_and_nothing_of_them() -> None:
    other = replace(FULL, files=(replace(FULL.files[0], text="another\n"),))
    assert fingerprint(FULL) == fingerprint(decode(encode(FULL)))
    assert fingerprint(FULL) != fingerprint(other)
    assert len(fingerprint(FULL)) == 64


def changed(**values: Json) -> JsonObject:
    return {**encode(FULL), **values}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, f"reads format {FORMAT} only"),
        ([], f"reads format {FORMAT} only"),
        (changed(format=99), f"reads format {FORMAT} only"),
        (changed(surprise=1), "bundle.surprise: unknown"),
        ({"format": FORMAT, "farm": "shop"}, "bundle.server: missing"),
        (changed(farm=7), "bundle.farm: expected str"),
        (changed(packages="haproxy"), "bundle.packages: expected an array"),
        (changed(packages=[1]), r"bundle.packages\[0\]: expected str"),
        (changed(sysctls=[["a"]]), r"bundle.sysctls\[0\]: expected 2 items, not 1"),
        (changed(links=["x"]), r"bundle.links\[0\]: expected an object"),
        (changed(links=[{"path": "/a"}]), r"bundle.links\[0\].target: missing"),
        (changed(files=[{"path": "/a", "text": "", "mode": True}]), "mode: expected int"),
        (changed(links=[{"path": "etc/a", "target": "b"}]), "'etc/a' is not a plain absolute path"),
        (changed(links=[{"path": "/etc/../a", "target": "b"}]), "is not a plain absolute path"),
        (changed(absent=[{"path": "/etc/key"}]), "the path /etc/key is named twice"),
    ],
)
def test_what_is_not_a_bundle_is_refused_with_its_place(data: Json, told: str) -> None:
    with pytest.raises(InputRefused, match=told):
        decode(data)


def test_a_refusal_never_shows_a_secret() -> None:
    with pytest.raises(InputRefused) as refused:
        decode(changed(files=[{"path": "/a", "text": ["s3cret"]}]))
    assert "s3cret" not in str(refused.value)

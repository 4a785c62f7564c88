"""What the keys of the farm file are made of: texts with a form, bounds, the table itself.

``checked`` turns a reader of ``values`` or ``addresses`` into a check of pydantic's that keeps
the file's own word.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stillup.model import addresses, values
from stillup.model.farm import Balance, Role
from stillup.model.problems import shown
from stillup.model.quantities import DurationBetween, SizeBetween
from stillup.model.refused import ValueRefused

LEASE = DurationBetween("150ms", "10s")
DRAIN = DurationBetween("1s", "60min")
QUEUE = DurationBetween("100ms", "5min")
OUTAGE = DurationBetween("10ms", "60min")
PHP_MEMORY = SizeBetween("16MB", "64GB")
UPLOAD = SizeBetween("1MB", "16GB")
BUFFER = SizeBetween("16MB", "1024GB")


def checked(parse: Callable[[str], object]) -> AfterValidator:
    """Return a validator that keeps the file's own word when ``parse`` takes it."""

    def check(word: str) -> str:
        parse(word)
        return word

    return AfterValidator(check)


def preferred_form(given: object) -> object:
    """Pass a name or a table of names on; told in one sentence, not one for each of the two."""
    names = list(given.values()) if isinstance(given, dict) else [given]
    if given is not None and not (names and all(isinstance(name, str) for name in names)):
        told = f'{shown(given)} is neither a name nor a table of names; write preferred = "lb1"'
        raise ValueRefused("wrong-type", told)
    return given


DURATION = Field(json_schema_extra={"pattern": r"^\d+(\.\d+)? ?(ms|s|min)$"})
SIZE = Field(json_schema_extra={"pattern": r"^\d+ ?(MB|GB)$"})
_LABEL = Field(json_schema_extra={"pattern": r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$"})
_IPV4 = Field(json_schema_extra={"format": "ipv4"})

Label = Annotated[str, checked(values.label), _LABEL]
Address = Annotated[str, checked(addresses.address), _IPV4]
VipAddress = Annotated[
    str,
    checked(addresses.vip),
    Field(json_schema_extra={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
]
Host = Annotated[str, checked(addresses.host)]
LocalPath = Annotated[str, checked(values.local_path)]
RoleWord = Annotated[
    str, checked(values.role), Field(json_schema_extra={"enum": [str(role) for role in Role]})
]
BalanceWord = Annotated[
    str, checked(values.balance), Field(json_schema_extra={"enum": [str(way) for way in Balance]})
]


class Section(BaseModel):
    """A table of the farm file: no key it does not know, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

"""An invented month of a small team: accounts, keys, and what was asked.

For pictures of the console. The same every time, but for the day on which it ends.
"""

import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kiro2api.metering import Attempt, Record
from kiro2api.store.database import Database
from kiro2api.store.records import RecordRows
from tests.console.house import House
from tests.store.pumped import PumpedReactor

DAY = 86_400
DAYS = 30
_NOTHING = ("failed", "refused")
"""Outcomes without an answer."""
_PRO = {"subscription": "KIRO PRO", "credits": 1000.0}
_PLUS = {"subscription": "KIRO PRO+", "credits": 2000.0}
_POWER = {"subscription": "KIRO POWER", "credits": 10_000.0}


def _account(name: str, group: str, used: float, plan: dict[str, Any]) -> dict[str, Any]:
    reset_at = int(time.time()) + 9 * DAY
    return {"name": name, "group": group, "plan": {**plan, "used": used, "reset_at": reset_at}}


def accounts() -> tuple[dict[str, Any], ...]:
    """All of them, in the order of choice."""
    return (
        _account("work-laptop", "default", 611.4, _PRO),
        _account("office-desktop", "default", 742.0, _PLUS),
        _account("weekend", "default", 861.7, _PRO),
        _account("second-desk", "default", 1000.0, _PRO),
        _account("build-server", "team", 3210.9, _POWER),
        _account("nightly-tests", "team", 1544.2, _PLUS),
        _account("research", "research", 402.6, _POWER),
        _account("borrowed", "research", 88.0, _PRO),
        _account("old-login", "default", 120.0, _PRO),
        _account("archive", "team", 15.3, _PRO),
    )


KEYS = (
    {"name": "ada-laptop", "credits_per_day": 40, "credits_per_month": 600},
    {"name": "grace-desktop", "credits_per_month": 500},
    {"name": "ci", "groups": ["team"], "models": ["claude-haiku-*"], "requests_per_minute": 30},
    {"name": "notebooks", "groups": ["research"], "max_in_flight": 4},
    {"name": "intern", "credits_per_day": 5, "expires_at": "2099-12-31T22:00:00Z"},
)
_WHO = (
    ("ada-laptop", "default", 5),
    ("grace-desktop", "default", 4),
    ("ci", "team", 4),
    ("notebooks", "research", 2),
    ("intern", "default", 1),
)
_MODELS = (
    ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5", 6, 1.0),
    ("claude-opus-4-6", "claude-opus-4.6", 2, 2.2),
    ("claude-haiku-4-5", "claude-haiku-4.5", 3, 0.4),
    ("gpt-5.6-sol", "gpt-5.6-sol", 1, 1.2),
)
_SERVING = {
    "default": ("work-laptop", "office-desktop", "weekend"),
    "team": ("build-server", "nightly-tests"),
    "research": ("research",),
}
_REPAIRS = ("history_merged", "tool_renamed", "schema_trimmed", "thinking_replayed")


def records(now: float) -> Iterator[Record]:
    """What was asked in the month that ends now: more by day than by night, less at weekends."""
    dice = random.Random(7)
    number = 0
    for hour in range(DAYS * 24):
        at = now - (DAYS * 24 - hour) * 3600
        local = time.gmtime(at)
        day = max(0.08, math.sin((local.tm_hour - 5) / 17 * math.pi)) if local.tm_hour > 5 else 0.08
        week = 0.35 if local.tm_wday > 4 else 1.0
        for _ in range(round(dice.uniform(0.6, 1.3) * 90 * day * week * (0.7 + hour / 2400))):
            number += 1
            yield _record(dice, number, at + dice.uniform(0, 3600))


def _record(dice: random.Random, number: int, started: float) -> Record:
    key, group, _ = dice.choices(_WHO, [weight for *_, weight in _WHO])[0]
    model, upstream, _, price = dice.choices(_MODELS, [each[2] for each in _MODELS])[0]
    dialect = dice.choices(("anthropic", "chat", "responses"), (7, 2, 2))[0]
    account = dice.choice(_SERVING[group])
    fate = dice.random()
    status, outcome, error = 200, "served", ""
    if fate < 0.012:
        status, outcome, error = dice.choice(
            ((429, "failed", "throttled"), (400, "refused", "context_length_exceeded"))
        )
    elif fate < 0.022:
        status, outcome = 499, "abandoned"
    output = round(dice.lognormvariate(5.7, 0.9)) if outcome not in _NOTHING else 0
    read = round(dice.lognormvariate(9.2, 0.8))
    first = dice.lognormvariate(0.1, 0.4) if outcome not in _NOTHING else None
    total = (first or 0.4) + output / dice.uniform(55, 90)
    tried = dice.random() < 0.06 and outcome == "served"
    attempts: tuple[Attempt, ...] = (Attempt(account, upstream, error or outcome, status, total),)
    if tried:
        attempts = (Attempt("weekend", upstream, "throttled", 429, 0.31), *attempts)
    return Record(
        request_id=f"{number * 2654435761 % 2**64:016x}{number:016x}",
        dialect=dialect,
        model=model,
        upstream_model=upstream,
        group=group,
        account=account,
        key=key,
        stream=dice.random() < 0.9,
        status=status,
        outcome=outcome,
        error=error,
        started=started,
        queue_seconds=dice.uniform(0.001, 0.004),
        first_event_seconds=first,
        total_seconds=total,
        input_tokens=round(dice.lognormvariate(8.1, 0.9)),
        output_tokens=output,
        cache_read_tokens=read if outcome not in _NOTHING else 0,
        cache_write_tokens=read // 9 if outcome not in _NOTHING else 0,
        usage_provenance="exact" if outcome not in _NOTHING else "",
        credits=round(price * (0.02 + output / 9000), 4) if outcome not in _NOTHING else 0.0,
        attempts=len(attempts),
        upstream_request_id=f"{number * 40503 % 2**32:08x}-6c1f-4a2e-9b57-{number:012x}",
        attempts_detail=attempts,
        repairs=tuple(dice.sample(_REPAIRS, 2)) if dice.random() < 0.3 else (),
    )


def write_history(place: Path) -> None:
    """Make a database in which that month has passed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    reactor = PumpedReactor()
    database = Database(str(place), reactor)
    reactor.result_of(database.start())
    try:
        reactor.result_of(RecordRows(database).write(list(records(time.time()))))
    finally:
        reactor.result_of(database.stop())


def live_through(house: House) -> dict[str, str]:
    """What an operator did today: groups, keys, and accounts in every state. Gives the keys."""
    house.admin(
        "/api/groups/default", {"display_name": "Everybody", "policy": "round_robin"}, "PUT"
    )
    team = {"display_name": "Team", "policy": "least_used", "max_in_flight": 8}
    house.admin("/api/groups/team", team, "PUT")
    house.admin(
        "/api/groups/research", {"display_name": "Research", "policy": "round_robin"}, "PUT"
    )
    keys: dict[str, str] = {
        str(each["name"]): house.admin("/api/keys", each)["key"] for each in KEYS
    }
    house.admin(f"/api/tokens/{house.account('archive')['id']}/disable", {})
    for name in (each["name"] for each in accounts() if each["name"] != "archive"):
        house.admin(f"/api/tokens/{house.account(name)['id']}/quota", {})
    house.emulator.script(
        {"path": "/refreshToken", "account": "old-login", "status": 401, "times": 3}
    )
    for word in ("What does this test check?", "Rename the column.", "Why is the build red?"):
        house.ask(word, key=keys["ada-laptop"], model="claude-sonnet-4-5-20250929")
        house.ask(word, key=keys["ci"], group="team", model="claude-haiku-4-5")
        house.ask(word, key=keys["notebooks"], group="research", model="claude-opus-4-6")
    _park(house, "old-login", "refresh")
    house.emulator.script(
        {
            "account": "borrowed",
            "status": 403,
            "error": "AccessDeniedException",
            "reason": "TEMPORARILY_SUSPENDED",
            "message": "Your User ID (d-000000.borrowed) temporarily is suspended.",
        },
        {"account": "weekend", "status": 429, "error": "ThrottlingException"},
    )
    for number in range(6):
        house.ask(f"Another thing, number {number}.", key=keys["grace-desktop"])
    for number in range(3):
        house.ask(f"Topic {number}.", key=keys["notebooks"], group="research")
    house.emulator.reset()
    return keys


def _park(house: House, name: str, how: str) -> None:
    try:
        house.admin(f"/api/tokens/{house.account(name)['id']}/{how}", {})
    except RuntimeError:
        pass  # which is what was ordered

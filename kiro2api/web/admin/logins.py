# -*- test-case-name: tests.web.admin.test_logins -*-
"""The routes of logins: a code is shown, somebody approves it elsewhere, an account is there.

Must not know how it is asked whether it was approved. Whatever comes of a login goes through the
registry.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from kiro2api.accounts.account import DEFAULT_GROUP, Account, Credentials
from kiro2api.accounts.logins import Login, Logins
from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_arrivals import Arrivals
from kiro2api.accounts.registry_roll import id_of
from kiro2api.accounts.registry_store import Said
from kiro2api.errors import KiroError, NotFound, RequestRejected
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.admin.tokens import may_see
from kiro2api.web.gate import Gate
from kiro2api.web.operator_api import moment
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest


class NewLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a new login; ``replace`` is the id of an account that needs one."""

    kind: str
    start_url: str = ""
    region: str = ""
    provider: str = ""
    group: str = ""
    name: str = ""
    replace: str = ""


_NEW: Final = msgspec.json.Decoder(NewLogin)
_ACTOR: Final = "login"


class Taker:
    """Takes over what logins bring: its ``found`` is what ``Logins`` is given.

    :param email_of: whose login it is, where that can be had; empty where not. It may fail.
    """

    _log = Logger()

    def __init__(
        self,
        arrivals: Arrivals,
        email_of: Callable[[Account, Credentials], Awaitable[str]],
    ) -> None:
        self._arrivals = arrivals
        self._email_of = email_of

    async def found(self, account: Account, credentials: Credentials) -> Account:
        """A login has brought this; fails with a KiroError if it cannot be kept.

        Gives the account that it is kept as: one of the same person, if there is one.
        """
        email = ""
        try:
            email = await self._email_of(account, credentials)
        except CancelledError:
            raise
        except KiroError as error:
            # The account is worth having all the same.
            self._log.info("whose login it is cannot be told: {kind}", kind=type(error).__name__)
        card = await self._arrivals.logged_in(_ACTOR, account, credentials, email=email)
        return card.account


class LoginsApi:
    """Routes below ``/api/logins``."""

    app = Klein()
    install_operator_errors(app)

    def __init__(
        self,
        gate: Gate,
        logins: Logins,
        registry: Registry,
    ) -> None:
        self._gate = gate
        self._logins = logins
        self._registry = registry

    @app.route("/api/logins", methods=["GET"])
    def logins(self, request: ApiRequest) -> bytes:
        """Those under way and the last that ended."""
        allowed = may_see(self._gate, self._gate.identify_admin(request))
        shown = [_shown(each) for each in self._logins.all() if allowed(each.group)]
        return send_value(request, {"items": shown, "total": len(shown)})

    @app.route("/api/logins", methods=["POST"])
    async def begin(self, request: ApiRequest) -> bytes:
        """Begin one: the answer holds the code and where to enter it."""
        caller = self._gate.identify_admin(request)
        asked = body_of(request, _NEW)
        renews = self._registry.find(asked.replace).account if asked.replace else None
        group = renews.group if renews is not None else asked.group or DEFAULT_GROUP
        self._gate.allow_group(caller, group)
        if group not in self._registry.roll.policies:
            raise RequestRejected(f"there is no group {group!r}; create it first", param="group")
        login = await self._begun(asked, group, renews)
        detail = {"kind": login.kind, "group": group, "name": asked.name}
        said = Said(caller.name, "login.begin", asked.replace, detail)
        await self._registry.store.wrote(said)
        return send_value(request, _shown(login), 201)

    @app.route("/api/logins/<login_id>", methods=["GET"])
    def login(self, request: ApiRequest, login_id: str) -> bytes:
        """How far it is."""
        return send_value(request, _shown(self._found(request, login_id)))

    @app.route("/api/logins/<login_id>", methods=["DELETE"])
    def cancel(self, request: ApiRequest, login_id: str) -> bytes:
        """Wait no longer for somebody to approve it."""
        self._found(request, login_id)
        self._logins.cancel(login_id)
        request.setResponseCode(204)
        return b""

    def _begun(self, asked: NewLogin, group: str, renews: Account | None) -> Awaitable[Login]:
        return self._logins.begin(
            asked.kind,
            start_url=asked.start_url,
            region=asked.region,
            provider=asked.provider,
            group=group,
            name=asked.name,
            renews=renews,
        )

    def _found(self, request: ApiRequest, login_id: str) -> Login:
        caller = self._gate.identify_admin(request)
        login = self._logins.get(login_id)
        if login is None:
            raise NotFound(f"there is no login {login_id!r}")
        self._gate.allow_group(caller, login.group)
        return login


def _shown(login: Login) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(login),
        "expires_at": moment(login.expires_at),
        "account": id_of(login.account),
    }

# -*- test-case-name: tests.web.admin.test_openapi -*-
"""The routes of accounts, groups, logins and backups for the OpenAPI document."""

from typing import Final

from kiro2api.accounts.registry_changes import AccountPatch, GroupPatch
from kiro2api.web.admin.backup import Export, Import
from kiro2api.web.admin.groups import NewGroup, NewName
from kiro2api.web.admin.jobs import Job
from kiro2api.web.admin.logins import NewLogin
from kiro2api.web.admin.openapi_operations import PAGING, Operation
from kiro2api.web.admin.tokens import Move, Refreshing

_ACCOUNTS: Final = "Accounts"
_GROUPS: Final = "Groups"
_LOGINS: Final = "Logins"
_BACKUP: Final = "Backup"
_ONE: Final = "/api/tokens/{account_id}"
_GROUP: Final = "/api/groups/{name}"
_LOGIN: Final = "/api/logins/{login_id}"

_ENTRY: Final = {
    "type": "object",
    "description": "An account in any of the forms of KIRO_AUTH_TOKEN",
    "properties": {
        "auth": {"type": "string"},
        "refreshToken": {"type": "string"},
        "clientId": {"type": "string"},
        "clientSecret": {"type": "string"},
        "apiKey": {"type": "string"},
        "region": {"type": "string"},
        "profileArn": {"type": "string"},
        "group": {"type": "string"},
        "name": {"type": "string"},
        "disabled": {"type": "boolean"},
    },
    "additionalProperties": True,
}
_ENTRIES: Final = {
    "type": "object",
    "properties": {"tokens": {"type": "array", "items": _ENTRY}},
    "additionalProperties": True,
}
_STARTED: Final = {
    "type": "object",
    "properties": {"job": {"type": "string"}, "total": {"type": "integer"}},
}
_TAKEN_IN: Final = {
    "type": "object",
    "properties": {
        "added": {"type": "integer"},
        "duplicates": {"type": "integer"},
        "skipped": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"index": {"type": "integer"}, "error": {"type": "string"}},
            },
        },
    },
}

OPERATIONS: Final = (
    Operation(
        "GET",
        "/api/tokens",
        "A page of the accounts: state and reason, credits, counts",
        _ACCOUNTS,
        query=("group", "state", *PAGING),
    ),
    Operation("POST", "/api/tokens", "Add an account", _ACCOUNTS, body=_ENTRY, status=201),
    Operation(
        "POST",
        "/api/tokens/bulk",
        "Add many accounts",
        _ACCOUNTS,
        query=("group",),
        body=_ENTRIES,
        answer=_TAKEN_IN,
        status=201,
    ),
    Operation(
        "POST",
        "/api/tokens/refresh",
        "Renew the access tokens of a group, of some accounts or of all, as a job",
        _ACCOUNTS,
        body=Refreshing,
        answer=_STARTED,
        status=202,
    ),
    Operation("GET", _ONE, "One account", _ACCOUNTS),
    Operation("PATCH", _ONE, "Change an account", _ACCOUNTS, body=AccountPatch),
    Operation("DELETE", _ONE, "Delete an account that was added here", _ACCOUNTS, status=204),
    Operation("PUT", f"{_ONE}/move", "Move an account to another group", _ACCOUNTS, body=Move),
    Operation("POST", f"{_ONE}/enable", "Lend an account again", _ACCOUNTS),
    Operation("POST", f"{_ONE}/disable", "Lend an account no more", _ACCOUNTS),
    Operation("POST", f"{_ONE}/unpark", "Ask an account again, whatever parked it", _ACCOUNTS),
    Operation("POST", f"{_ONE}/refresh", "Renew an account's access token now", _ACCOUNTS),
    Operation("POST", f"{_ONE}/test", "Try an account out with one cheap call", _ACCOUNTS),
    Operation("POST", f"{_ONE}/quota", "Read an account's credits now", _ACCOUNTS),
    Operation("GET", "/api/jobs/{job_id}", "How far a job is", _ACCOUNTS, answer=Job),
    Operation("GET", "/api/groups", "All groups", _GROUPS, query=PAGING),
    Operation("POST", "/api/groups", "Add a group", _GROUPS, body=NewGroup, status=201),
    Operation("GET", _GROUP, "One group", _GROUPS),
    Operation("PUT", _GROUP, "Change a group", _GROUPS, body=GroupPatch),
    Operation("PATCH", _GROUP, "Change a group", _GROUPS, body=GroupPatch),
    Operation(
        "DELETE", _GROUP, "Delete a group; its accounts go to the default one", _GROUPS, status=204
    ),
    Operation("POST", f"{_GROUP}/rename", "Rename a group", _GROUPS, body=NewName),
    Operation("GET", "/api/logins", "The logins under way and the last that ended", _LOGINS),
    Operation(
        "POST",
        "/api/logins",
        "Begin to log an account in with a code",
        _LOGINS,
        body=NewLogin,
        status=201,
    ),
    Operation("GET", _LOGIN, "How far a login is", _LOGINS),
    Operation("DELETE", _LOGIN, "Give a login up", _LOGINS, status=204),
    Operation(
        "POST", "/api/export", "A backup that only the passphrase opens", _BACKUP, body=Export
    ),
    Operation(
        "POST",
        "/api/import",
        "Take in what a backup or another document holds and is not there yet",
        _BACKUP,
        body=Import,
    ),
)

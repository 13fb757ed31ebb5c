"""Accounts and credentials for the tests of this room."""

from kiro2api.accounts.account import Account, Credentials, Method
from kiro2api.accounts.outcome import End, Outcome
from kiro2api.errors import UpstreamFault
from kiro2api.redaction import Secret

ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABCDEFGHIJKL"
OTHER_ARN = "arn:aws:codewhisperer:eu-central-1:210987654321:profile/MNOPQRSTUVWX"

SERVED = Outcome(End.SERVED)
ABANDONED = Outcome(End.ABANDONED)


def failed(fault: UpstreamFault) -> Outcome:
    """A loan that ended with this fault."""
    return Outcome(End.FAILED, fault)


def account(number: int, *, group: str = "default", method: Method = "social") -> Account:
    """The account of that number; its fingerprint begins with it."""
    return Account(
        fingerprint=f"{number:08x}" + "f" * 24,
        name=f"account-{number}",
        method=method,
        group=group,
        order=number,
    )


def credentials(
    access: str = "access-0", refresh: str = "refresh-0", expires_at: float = 0.0
) -> Credentials:
    """Credentials with these tokens."""
    return Credentials(
        access_token=Secret(access), refresh_token=Secret(refresh), expires_at=expires_at
    )

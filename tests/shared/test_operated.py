"""What an operator changes through one process holds in the other within two seconds."""

from typing import Any

from tests.live.client import Answer
from tests.shared.asking import Client, Question
from tests.shared.case import GROUPS, MARGIN, InPostgres, SharedCase

SOON = 2.0


class OperatedTests(SharedCase):
    """On one SQLite file."""

    lifetime = MARGIN + 3600

    async def asked(self, client: Client, group: str = "") -> Answer:
        """A question in a conversation of its own."""
        self.count = getattr(self, "count", 0) + 1
        return await client.ask(Question("/v1/messages", group, text=f"Number {self.count}."))

    def last(self) -> str:
        """Who answered last."""
        return str(self.emulator.generations()[-1].account)

    async def soon(self, condition: Any, what: str) -> None:
        """It holds within two seconds."""
        await self.until(condition, what, SOON, every=0.1)

    async def test_accounts(self) -> None:
        """Switched off and on, moved, added and removed."""
        first, second = await self.start()
        ada = (await first.token("ada"))["id"]
        self.assertEqual((await self.asked(second.client)).status, 200)
        self.assertEqual(self.last(), "ada")

        await first.told("POST", f"/api/tokens/{ada}/disable")

        async def another_serves() -> bool:
            self.assertEqual((await self.asked(second.client)).status, 200)
            return self.last() != "ada"

        await self.soon(another_serves, "a disabled account serves no more")
        self.assertEqual((await second.token("ada"))["status"], "disabled")

        await second.told("POST", f"/api/tokens/{ada}/enable")

        async def serves_again() -> bool:
            self.assertEqual((await self.asked(first.client)).status, 200)
            return self.last() == "ada"

        await self.soon(serves_again, "an enabled account serves again")

        new = {"auth": "Social", "refreshToken": "refresh-late", "group": "pro", "name": "late"}
        self.emulator.accounts.add(
            type(self.accounts[0])(name="late", refresh_token="refresh-late", token_lifetime=3600)
        )
        for name in GROUPS["pro"]:
            found = (await first.token(name))["id"]
            await first.told("POST", f"/api/tokens/{found}/disable")
        late = (await first.told("POST", "/api/tokens", new, 201))["id"]

        async def late_serves() -> bool:
            answer = await self.asked(second.client, "pro")
            return answer.status == 200 and self.last() == "late"

        await self.soon(late_serves, "an added account serves")
        await first.told("DELETE", f"/api/tokens/{late}", status=204)

        async def nobody_serves() -> bool:
            return (await self.asked(second.client, "pro")).status != 200

        await self.soon(nobody_serves, "a removed account serves no more")
        self.check_logs()

    async def test_groups(self) -> None:
        """Made, filled, governed, renamed and dropped."""
        first, second = await self.start()
        self.assertEqual((await self.asked(second.client, "fresh")).status, 404)
        await first.told("POST", "/api/groups", {"name": "fresh"}, 201)
        alan = (await first.token("alan"))["id"]
        await first.told("PUT", f"/api/tokens/{alan}/move", {"group": "fresh"})

        async def serves() -> bool:
            answer = await self.asked(second.client, "fresh")
            return answer.status == 200 and self.last() == "alan"

        await self.soon(serves, "a new group serves")
        await second.told("POST", "/api/groups/fresh/rename", {"new_name": "fine"})

        async def renamed() -> bool:
            old = (await self.asked(first.client, "fresh")).status
            return old == 404 and (await self.asked(first.client, "fine")).status == 200

        await self.soon(renamed, "a group is called differently")
        await first.told("DELETE", "/api/groups/fine", status=204)

        async def dropped() -> bool:
            return bool((await second.token("alan"))["group"] == "default")

        await self.soon(dropped, "its account goes to the default group")
        self.assertEqual((await self.asked(second.client, "fine")).status, 404)
        self.check_logs()

    async def test_keys(self) -> None:
        """Made, limited to a group, and deleted."""
        first, second = await self.start()
        made = await first.told("POST", "/api/keys", {"name": "guest", "groups": ["pro"]}, 201)
        guest = Client(second.port, made["key"])
        try:

            async def admitted() -> bool:
                return (await self.asked(guest, "pro")).status == 200

            await self.soon(admitted, "a new key is known")
            self.assertEqual((await self.asked(guest)).status, 403)
            await second.told("PATCH", f"/api/keys/{made['id']}", {"enabled": False})
            self.assertEqual((await self.asked(guest, "pro")).status, 401)
            await second.told("PATCH", f"/api/keys/{made['id']}", {"enabled": True})
            await first.told("DELETE", f"/api/keys/{made['id']}", status=204)

            async def refused() -> bool:
                # 429: too many attempts with an unknown key.
                return (await self.asked(guest, "pro")).status in (401, 429)

            await self.soon(refused, "a deleted key is refused")
        finally:
            ended = guest.leave()
            if ended is not None:
                await ended
        self.check_logs()


class PostgresOperatedTests(InPostgres, OperatedTests):
    """On one PostgreSQL."""

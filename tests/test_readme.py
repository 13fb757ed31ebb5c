"""The READMEs keep up with the code."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.models import BUILT_IN
from kiro2api.settings import TABLE
from kiro2api.web.model_api import ModelApi
from kiro2api.web.operator_api import OperatorApi
from kiro2api.web.responses_api import ResponsesApi

ROOT = Path(__file__).resolve().parents[1]


class ReadmeTests(SynchronousTestCase):
    """Both languages say the same facts."""

    def setUp(self) -> None:
        self.texts = {
            name: (ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md")
        }

    def test_every_setting_with_its_default(self) -> None:
        """Each variable has a row, and the row names the default."""
        for name, text in self.texts.items():
            for setting in TABLE.values():
                rows = re.findall(rf"^\| `{setting.env}` \|.*$", text, re.M)
                self.assertEqual(len(rows), 1, f"{name}: {setting.env}")
                if setting.default is not None:
                    self.assertIn(f"`{setting.default}`", rows[0], name)

    def test_every_model(self) -> None:
        """Each listed model is in the table."""
        for name, text in self.texts.items():
            for model in BUILT_IN:
                for public in model.public:
                    self.assertIn(f"`{public}`", text, name)

    def test_every_route(self) -> None:
        """Each path that is served is documented."""
        for name, text in self.texts.items():
            for app in (ModelApi.app, ResponsesApi.app, OperatorApi.app):
                for rule in app.url_map.iter_rules():
                    path = re.sub("<.*?>", "{id}", str(rule.rule))
                    self.assertIn(f"{path}`", text, name)

    def test_same_commands(self) -> None:
        """The commands are the same in both."""
        blocks = [
            [
                re.sub(r"#.*", "", block)
                for block in re.findall(r"```(?:sh|python|json)\n(.*?)```", t, re.S)
            ]
            for t in self.texts.values()
        ]
        self.assertEqual(
            [[line.strip() for line in b.splitlines()] for b in blocks[0]],
            [[line.strip() for line in b.splitlines()] for b in blocks[1]],
        )

"""What is installed: the wheel's content, and that twistd finds the plugins afterwards.

Built without the network: with the setuptools of the environment that runs the tests.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kiro2api import __version__

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60.0
NAMES = ("kiro2api", "kiro2api-emulator")


def run(*words: str | Path, **variables: str) -> str:
    """The standard output of a command that must succeed."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    done = subprocess.run(
        [str(word) for word in words],
        env=kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1"} | variables,
        cwd="/",
        capture_output=True,
        timeout=SECONDS,
        check=False,
        text=True,
    )
    if done.returncode:
        raise AssertionError(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout


def pip(*words: str | Path, **variables: str) -> str:
    """Run the tests' own pip."""
    return run(sys.executable, "-m", "pip", *words, **variables)


def copied_source(folder: Path) -> Path:
    """A copy of what is in the checkout and belongs to the distribution, without any leftovers."""
    source = folder / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info")
    for name in ("kiro2api", "twisted", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    return source


def borrowed_packages(folder: Path) -> Path:
    """Every package of the running environment but ours, as links.

    Twisted's own plugins are copied, so that no cache is written where it would be shared.
    """
    borrowed = folder / "borrowed"
    (borrowed / "twisted").mkdir(parents=True)
    for name in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(name).iterdir():
            ours = "kiro2api" in entry.name or entry.name.endswith((".pth", ".egg-link"))
            if not ours and entry.name != "twisted" and not (borrowed / entry.name).exists():
                (borrowed / entry.name).symlink_to(entry)
            if entry.name == "twisted":
                for part in entry.iterdir():
                    if part.name != "plugins":
                        (borrowed / "twisted" / part.name).symlink_to(part)
                shutil.copytree(
                    entry / "plugins",
                    borrowed / "twisted" / "plugins",
                    ignore=shutil.ignore_patterns("__pycache__", "dropin.cache", "kiro2api*"),
                )
    return borrowed


class WheelTests(SynchronousTestCase):
    """The wheel holds what is needed, and nothing that would get into anybody's way."""

    def test_content(self) -> None:
        """Plugin, migrations and the typing marker are in; tests and twisted's packages not."""
        folder = Path(tempfile.mkdtemp(prefix="kiro2api-wheel-"))
        self.addCleanup(shutil.rmtree, folder)
        pip(
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            f"--wheel-dir={folder}",
            copied_source(folder),
        )
        (path,) = folder.glob("*.whl")
        self.assertEqual(path.name, f"kiro2api-{__version__}-py3-none-any.whl")
        with zipfile.ZipFile(path) as wheel:
            names = set(wheel.namelist())
            info = f"kiro2api-{__version__}.dist-info"
            metadata = wheel.read(f"{info}/METADATA").decode().split("\n\n")[0].splitlines()
        code = {
            str(file.relative_to(ROOT))
            for file in (ROOT / "kiro2api").rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        self.assertIn("kiro2api/py.typed", code)
        self.assertTrue(any("/migrations/versions/" in name for name in code))
        extra = {name for name in names if not name.startswith(f"{info}/")}
        self.assertEqual(extra, code | {"twisted/plugins/kiro2api_plugin.py"})
        self.assertIn("License: MIT", metadata)
        self.assertIn("Requires-Python: >=3.11", metadata)
        self.assertIn("Requires-Dist: twisted[tls]<27,>=26.10", metadata)


class InstallTests(SynchronousTestCase):
    """In an environment of its own, twistd lists both plugins; before that, neither."""

    def setUp(self) -> None:
        """A fresh virtual environment that borrows everything but us."""
        folder = Path(tempfile.mkdtemp(prefix="kiro2api-install-"))
        self.addCleanup(shutil.rmtree, folder)
        run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
        self.python = folder / "venv/bin/python"
        self.borrowed = str(borrowed_packages(folder))
        self.source = copied_source(folder)

    def listed(self) -> list[str]:
        """Which of our plugins twistd offers there."""
        out = self.twistd("--help")
        self.assertIn("    words ", out)
        return [name for name in NAMES if f"    {name} " in out]

    def install(self, *words: str | Path) -> None:
        """Install the copy there."""
        pip(
            "--python",
            self.python,
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            *words,
            PYTHONPATH=self.borrowed,
        )

    def twistd(self, *words: str) -> str:
        """What twistd prints there."""
        code = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
        return run(self.python, "-c", code, *words, PYTHONPATH=self.borrowed)

    def test_install(self) -> None:
        """`pip install .`"""
        self.assertEqual(self.listed(), [])
        self.install(self.source)
        shutil.rmtree(self.source)
        self.assertEqual(self.listed(), list(NAMES))
        self.assertEqual(self.twistd("kiro2api", "--version"), f"kiro2api {__version__}\n")

    def test_editable_install(self) -> None:
        """`pip install -e .`: found through the path of the checkout, and edits show."""
        self.install("-e", self.source)
        self.assertEqual(self.listed(), list(NAMES))
        module = self.source / "kiro2api/__init__.py"
        module.write_text(module.read_text().replace(__version__, "99.edited"))
        self.assertEqual(self.twistd("kiro2api", "--version"), "kiro2api 99.edited\n")

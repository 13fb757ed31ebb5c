"""Package metadata of kiro2api: the one place where it is written down."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"$', (HERE / "kiro2api" / "__init__.py").read_text("utf-8"), re.M
)
assert VERSION is not None

setup(
    name="kiro2api",
    version=VERSION.group(1),
    description="Anthropic and OpenAI APIs in front of your own Kiro (AWS CodeWhisperer) accounts",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    # The explicit "." makes an editable install a plain .pth file, which is what
    # twisted.plugin can see; the import-hook kind hides the plugin from twistd.
    package_dir={"": "."},
    packages=[*find_packages(include=["kiro2api", "kiro2api.*"]), "twisted.plugins"],
    package_data={
        "kiro2api": ["py.typed"],
        "kiro2api.web.console": [
            f"static/{pattern}"
            for pattern in ("*.*", "parts/*.js", "views/*.js", "i18n/*.js", "vendor/*.*")
        ],
    },
    entry_points={"console_scripts": ["kiro2api = kiro2api.commands.main:main"]},
    zip_safe=False,
    install_requires=[
        "twisted[tls]>=26.10,<27",
        "treq>=26.7,<27",
        "klein>=24.8,<25",
        "werkzeug>=3.1,<4",
        "txaio>=26.6,<27",
        "service-identity>=26.1,<27",
        "zope.interface>=8,<10",
        "msgspec>=0.22,<0.23",
        "jsonschema>=4.23,<5",
        "sqlalchemy>=2.1,<2.2",
        "alembic>=1.20,<2",
        "cryptography>=46,<60",
        "pypdf>=7.1,<8",
        "pillow>=13,<14",
        "prometheus-client>=0.26,<1",
    ],
    extras_require={
        # Word and Excel: an extra, because lxml comes with them and few clients send any.
        "documents": ["python-docx>=1.2,<2", "openpyxl>=3.1,<4"],
        # PostgreSQL in the place of the SQLite file.
        "postgres": ["psycopg[binary]>=3.2,<4"],
        "test": [
            "psycopg[binary]>=3.2,<4",
            "python-docx>=1.2,<2",
            "openpyxl>=3.1,<4",
            "pytest>=9.2,<10",
            "pytest-twisted>=1.14,<2",
            "pytest-cov>=7,<9",
            "hypothesis>=6.155,<7",
            "anthropic>=2.12,<3",
            "openai>=3.54,<4",
            "openai-agents>=0.24,<0.25",
            "playwright>=1.60,<2",
            "build>=1.2,<2",
            "setuptools>=77",
            "wheel>=0.45",
        ],
        "lint": [
            "ruff>=0.17,<0.18",
            "mypy==2.4.1",
            "mypy-zope==1.0.17",
            "types-jsonschema>=4.23,<5",
        ],
    },
    classifiers=[
        "Framework :: Twisted",
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3",
        "Operating System :: POSIX",
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
    ],
)

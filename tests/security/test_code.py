"""Does the code keep its hands off what turns foreign bytes into orders?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "coldchain"
FILES = sorted(SOURCE.rglob("*.py"))
EXEMPT = {
    # the public suite packs values of our own and unpacks them at once: they travel to workers
    ("testing/contract/place.py", "import pickle"),
    # reads the task that Windows keeps for this very user, as Windows tells it
    ("schedules/windows.py", "from xml.etree.ElementTree import"),
}

MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "xml.etree", "lxml"}
"""Readers that run what they read, or expand it without end."""
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp", "os.tempnam"),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"),
    *("ssl._create_unverified_context", "ssl.wrap_socket", "tarfile.open", "shutil.unpack_archive"),
}
ATTRIBUTES = {"CERT_NONE", "extractall", "set_allow_host", "_create_unverified_context"}
KEYWORDS = {
    ("shell", True),
    ("verify", False),
    ("check_hostname", False),
    ("allow_pickle", True),
    ("use_ssl", False),
    ("known_hosts", None),
    ("require_signing", False),
}


def dotted(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
    return ""


def offences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"import {one.name}" for one in names if forbidden(one.name))
            case ast.ImportFrom(module=str(module), names=names):
                whole = [f"{module}.{one.name}" for one in names]
                yield from (f"from {module} import" for name in [module, *whole] if forbidden(name))
            case ast.Call(func=func, args=args, keywords=keywords):
                name = dotted(func)
                if name in CALLS:
                    yield name
                if name.rpartition(".")[2] == "import_module" and args and is_forbidden_text(args[0]):
                    yield name
                for keyword in keywords:
                    if isinstance(keyword.value, ast.Constant) and (keyword.arg, keyword.value.value) in KEYWORDS:
                        yield f"{keyword.arg}={keyword.value.value!r}"
            case ast.Attribute(attr=attr) if attr in ATTRIBUTES:
                yield attr


def forbidden(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in MODULES)


def is_forbidden_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and forbidden(node.value)


def test_nothing_runs_expands_or_trusts_what_it_reads() -> None:
    assert len(FILES) > 250
    found = {
        (file.relative_to(SOURCE).as_posix(), offence)
        for file in FILES
        for offence in offences(ast.parse(file.read_bytes()))
    }
    assert found == EXEMPT


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from xml import etree",
        "from xml.etree import ElementTree",
        "from importlib import import_module\nimport_module('yaml')",
        "eval(text)",
        "import os\nos.system(name)",
        "subprocess.run(words, shell=True)",
        "requests.get(url, verify=False)",
        "context.verify_mode = ssl.CERT_NONE",
        "tar.extractall(folder)",
        "asyncssh.connect(host, known_hosts=None)",
    ],
)
def test_the_walk_would_see_it(code: str) -> None:
    assert list(offences(ast.parse(code)))


def test_every_program_is_started_by_a_list_of_words() -> None:
    """A string would be cut into words, by a shell or by Windows."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call) and re.fullmatch(
                r"subprocess\.(run|Popen|call|check_\w+)", dotted(node.func)
            ):
                first = node.args[0]
                assert not isinstance(first, (ast.Constant, ast.JoinedStr, ast.BinOp)), f"{file}:{node.lineno}"

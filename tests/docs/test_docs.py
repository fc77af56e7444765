"""Do the pages tell what the program does, and nothing else?"""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from coldchain.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
README, DOCS, SOURCE = ROOT / "README.md", ROOT / "docs", ROOT / "src" / "coldchain"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
MAIN: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = dict(MAIN.commands)
EVERYWHERE = {"--help", "-h"}

LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^    (?=\S).*$", re.MULTILINE)
FORMAT = re.compile(r'(?:"format":\s*|FORMAT\s*=\s*)"(coldchain-[a-z]+)"')


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def options_of(command: str) -> set[str]:
    return {name for param in COMMANDS[command].params for name in param.opts if name.startswith("-")}


# --- commands ---------------------------------------------------------------------------------------------------------


def test_every_command_has_its_page_and_every_page_its_command() -> None:
    assert {page.stem for page in (DOCS / "commands").glob("*.md")} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_a_command_has_its_options_and_no_others(command: str) -> None:
    page = text_of(DOCS / "commands" / f"{command}.md")
    table = "\n".join(line for line in page.splitlines() if line.startswith("| `-"))
    told = {
        name for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(--?[\w-]+)", cell)
    }
    assert told == options_of(command)
    assert "## Exit codes" in page
    assert "## Example" in page


def test_the_pages_tell_every_exit_code() -> None:
    from coldchain import errors

    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    for page in (README, DOCS / "index.md"):
        assert {int(code) for code in re.findall(r"^\| (\d+) \|", text_of(page), re.MULTILINE)} == codes | {0}


def shown_commands(page: Path) -> Iterator[list[str]]:
    """Every command line of coldchain in a block of code, as words."""
    text = text_of(page)
    blocks = [block for language, block in FENCED.findall(text) if language in {"console", "text", ""}]
    blocks += INDENTED.findall(FENCED.sub("", text))
    for line in "\n".join(blocks).splitlines():
        found = re.match(r"\s*(?:\$ |[\d*/ ]{9,})?(?:\S*/)?(coldchain [a-z]+ ?.*)$", line)
        if found and "[" not in found[1] and not found[1].endswith(":"):
            for part in re.split(r" && | &$", found[1]):
                words = shlex.split(part, comments=True)
                if words[0] == "coldchain":
                    yield words


EXAMPLES = [(named(page), words) for page in PAGES for words in shown_commands(page)]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 60
    assert len([name for name, _ in EXAMPLES if name == "README.md"]) >= 10


@pytest.mark.parametrize(
    ("page", "words"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_an_example_uses_a_command_and_options_that_exist(page: str, words: list[str]) -> None:
    command, *rest = words[1:]
    assert command in COMMANDS, page
    used = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert used <= options_of(command) | EVERYWHERE, page


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_command_that_is_named_in_a_sentence_exists(page: Path) -> None:
    later = {"wrap"} | ({"prune", "start", "watch", "schedule"} if page.name == "configuration.md" else set())
    sentences = FENCED.sub("", text_of(page))
    found = set(re.findall(r"`coldchain ([a-z]+)[` ]", sentences))
    assert found - later <= set(COMMANDS)


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_every_json_format_is_on_its_page_and_none_else() -> None:
    written = {name for file in SOURCE.rglob("*.py") for name in FORMAT.findall(text_of(file))}
    told = set(re.findall(r"^## (coldchain-[a-z]+)$", text_of(DOCS / "json.md"), re.MULTILINE))
    assert len(written) > 10
    assert told == written


# --- links ------------------------------------------------------------------------------------------------------------


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Every relative link of a page: the file that it leads to, and the heading."""
    for target in LINK.findall(FENCED.sub("", text_of(page))):
        if "://" not in target and not target.startswith("mailto:"):
            name, _, heading = target.partition("#")
            yield (page.parent / name).resolve() if name else page, heading


@cache
def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", FENCED.sub("", text_of(page)), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line).lower()).replace(" ", "-")
        for line in lines
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, heading in links(page):
        assert target.exists(), target
        assert target.is_relative_to(ROOT)
        assert not heading or heading in headings(target), f"{target}#{heading}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [README]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        waiting += [target for target, _ in links(page) if target.suffix == ".md" and target.is_relative_to(ROOT)]
    assert set(DOCS.rglob("*.md")) - seen == set()


def test_every_page_is_linked_from_the_index_or_the_readme() -> None:
    linked = {target for page in (README, DOCS / "index.md") for target, _ in links(page)}
    assert set(DOCS.rglob("*.md")) - linked - {DOCS / "index.md"} == set()


# --- the configuration ------------------------------------------------------------------------------------------------


def test_every_configuration_that_is_shown_can_be_read(tmp_path: Path) -> None:
    from coldchain.config.read import read_config

    shown = 0
    for page in sorted((DOCS / "users").glob("*.md")):
        for language, block in FENCED.findall(text_of(page)):
            if language != "toml":
                continue
            shown += 1
            tomllib.loads(block)
            file = tmp_path / f"{page.stem}-{shown}.toml"
            file.write_text(block, encoding="utf-8")
            assert read_config(file, {}, []).jobs
    assert shown >= 3


# --- what does not belong here ----------------------------------------------------------------------------------------


def committed() -> list[Path]:
    if not (ROOT / ".git").exists():
        return [file for folder in ("src", "docs", "scripts") for file in (ROOT / folder).rglob("*") if file.is_file()]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_leans_on_what_lies_outside_the_repository() -> None:
    outside = "../" + "shared"
    for file in committed():
        if file.relative_to(ROOT).parts[0] not in {"tests", ".ci"}:
            assert outside.encode() not in file.read_bytes(), file


def test_no_file_names_a_package_registry() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "conda" + ".anaconda.org"]
    hosts += ["registry." + "yarnpkg.com", "crates" + ".io", "proxy.golang" + ".org"]
    for file in committed():
        content = file.read_bytes().lower()
        assert [host for host in hosts if host.encode() in content] == [], file

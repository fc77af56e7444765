"""Which small mistakes could somebody have made in a module?

A mutant is the module with one of them: a comparison turned round, a condition left out, a call dropped whose effect
matters (``flush``, ``discard``), a ``raise`` or an early ``return`` forgotten.  What only words are (docstrings,
messages, annotations) and what stands outside functions is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_TURNED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OTHER: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_WORDS = frozenset({"debug", "info", "warning", "error", "exception"})
"""Calls of a logger: nobody acts on them."""

Functions = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one mistake in it."""

    function: str
    """Qualified name of the outermost function that it stands in."""
    line: int
    was: str
    now: str
    tree: ast.Module

    @property
    def change(self) -> str:
        """What tells it from others, also when lines above it come and go."""
        return f"{self.function}: {self.was} → {self.now}"


@dataclass(frozen=True, slots=True)
class _Change:
    """Put ``new`` where ``old`` stands: in the field of a node, or at a place of the list that is in the field."""

    node: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant, top to bottom; each one's tree is good until the next is asked for."""
    tree = ast.parse(source)
    for name, function in _functions(tree, ""):
        for change in [found for node in _nodes(function) for found in _changes(node)]:
            was, now = _shown(change.old), _shown(change.new)
            line = change.old.lineno if isinstance(change.old, ast.expr | ast.stmt | ast.ExceptHandler) else 0
            _put(change, change.new)
            yield Mutant(name, line, was, now, ast.fix_missing_locations(tree))
            _put(change, change.old)


def _functions(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, Functions]]:
    for inner in node.body:
        if isinstance(inner, Functions):
            yield prefix + inner.name, inner
        elif isinstance(inner, ast.ClassDef):
            yield from _functions(inner, f"{prefix}{inner.name}.")


def _nodes(function: Functions) -> Iterator[ast.AST]:
    """What is done in a function, without its decorators, annotations, messages and words for developers."""
    waiting: list[ast.AST] = list(reversed(function.body))
    yield function
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assert | ast.JoinedStr) or _is_word(node):
            continue
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, Functions):
            children = list(node.body)
        elif isinstance(node, ast.AnnAssign):
            children = [node.value] if node.value else []
        elif isinstance(node, ast.Raise):
            children = []  # which error is raised, the tests of each kind look at
        waiting.extend(reversed(children))


def _is_word(node: ast.AST) -> bool:
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in _WORDS
    return isinstance(value, ast.Constant)


def _changes(node: ast.AST) -> Iterator[_Change]:
    for field, value in ast.iter_fields(node):
        if isinstance(value, list):
            for index, old in enumerate(value):
                if isinstance(old, ast.AST):
                    yield from (_Change(node, field, index, old, new) for new in _instead(old, field))
        elif isinstance(value, ast.AST) and field not in {"annotation", "returns"}:
            yield from (_Change(node, field, None, value, new) for new in _instead(value, field))


def _instead(old: ast.AST, field: str) -> Iterator[ast.AST]:
    """What may stand there by mistake."""
    match old:
        case ast.stmt():
            yield from _instead_of_statement(old)
        case ast.ExceptHandler() if not isinstance(old.body[0], ast.Raise):
            yield ast.copy_location(ast.ExceptHandler(old.type, old.name, [_like(ast.Raise(), old)]), old)
        case ast.expr() if field == "iter":
            yield ast.copy_location(ast.Tuple([], ast.Load()), old)
        case ast.expr():
            yield from (ast.copy_location(new, old) for new in _instead_of_value(old))
            if field in {"test", "ifs"} and isinstance(old, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
                yield ast.copy_location(ast.UnaryOp(ast.Not(), old), old)


def _instead_of_value(old: ast.expr) -> Iterator[ast.expr]:
    match old:
        case ast.Compare(left=left, ops=[*before, last], comparators=others):
            yield from (ast.Compare(left, [*before, turned()], others) for turned in _TURNED[type(last)])
        case ast.BoolOp(operator, values):
            for left_out in range(len(values)):
                rest = [value for number, value in enumerate(values) if number != left_out]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() as value):
            yield ast.Constant(value + 1)
        case ast.BinOp(left, operator, right) if type(operator) in _OTHER and not _is_text(left, right):
            yield ast.BinOp(left, _OTHER[type(operator)](), right)


def _instead_of_statement(old: ast.stmt) -> Iterator[ast.stmt]:
    match old:
        case ast.Expr(ast.Call() | ast.Await()) if not _is_word(old):
            yield _like(ast.Pass(), old)
        case ast.If(body=[*_, ast.Return(value=ast.expr())], orelse=[]):
            yield _like(ast.Pass(), old)
        case ast.Expr(ast.Yield() | ast.YieldFrom()):
            # it stays a generator, so that only what it gives is lost
            yield _like(ast.If(ast.Constant(value=False), [old], []), old)
        case (
            ast.Raise()
            | ast.Continue()
            | ast.Break()
            | ast.AugAssign()
            | ast.Delete()
            | ast.Return(value=None)
            | ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_])
        ):
            yield _like(ast.Pass(), old)


def _like(new: ast.stmt, old: ast.stmt | ast.ExceptHandler) -> ast.stmt:
    return ast.copy_location(new, old)


def _is_text(*operands: ast.expr) -> bool:
    return any(isinstance(operand, ast.JoinedStr | ast.Constant) and _text_in(operand) for operand in operands)


def _text_in(operand: ast.JoinedStr | ast.Constant) -> bool:
    return isinstance(operand, ast.JoinedStr) or isinstance(operand.value, str | bytes)


def _put(change: _Change, value: ast.AST) -> None:
    if change.index is None:
        setattr(change.node, change.field, value)
    else:
        getattr(change.node, change.field)[change.index] = value


def _shown(node: ast.AST) -> str:
    """One line of code, cut where it is long."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:89]}…"

"""
Wrong rulebooks, made from the right one by changing one thing in its source.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from types import CodeType, ModuleType
from typing import Any, TypeAlias

import attrs

# The fields, and the places in lists, that lead from a statement to a node in it.
_Path: TypeAlias = "tuple[tuple[str, int | None], ...]"

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@attrs.frozen(kw_only=True)
class Mutant:
    """
    One change: which module, which function or constant, what stood there and what stands there instead.
    """

    module: str
    place: str
    old: str
    new: str
    tree: ast.Module = attrs.field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.place}: {self.old} → {self.new}"


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    """
    Return what may stand in place of *node*.
    """
    match node:
        case ast.Compare(ops=[op]):
            yield ast.Compare(left=node.left, ops=[_OPPOSITES[type(op)]()], comparators=node.comparators)
        case ast.BoolOp():
            for index in range(len(node.values)):
                values = node.values[:index] + node.values[index + 1 :]
                yield values[0] if len(values) == 1 else ast.BoolOp(op=node.op, values=values)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value=value + 1)
            yield ast.Constant(value=value - 1)
        case ast.If():
            yield ast.If(test=ast.Constant(value=False), body=node.body, orelse=node.orelse)
        case ast.Tuple(elts=[ast.Constant(value=str()), ast.Constant(value=str()), condition]):
            if not isinstance(condition, ast.Constant):
                yield ast.Tuple(elts=[*node.elts[:2], ast.Constant(value=True)], ctx=node.ctx)


@cache
def parsed(name: str) -> ast.Module:
    """
    Return the syntax tree of a module.
    """
    return ast.parse(inspect.getsource(importlib.import_module(name)))


def mutants(name: str, *places: str) -> Iterator[Mutant]:
    """
    Return every mutant of a module, or of some of its functions, methods and constants.
    """
    tree = parsed(name)
    for place, path, root in _places(tree):
        if places and place not in places:
            continue
        for further, node in _walk(root):
            for variant in _variants(node):
                yield Mutant(
                    module=name,
                    place=place,
                    old=_short(node),
                    new=_short(variant),
                    tree=_replaced(tree, (*path, *further), variant),
                )


def _places(tree: ast.Module) -> Iterator[tuple[str, _Path, ast.AST]]:
    for index, statement in enumerate(tree.body):
        path: _Path = (("body", index),)
        match statement:
            case ast.FunctionDef(name=name):
                yield name, path, statement
            case ast.ClassDef(name=name):
                for number, method in enumerate(statement.body):
                    if isinstance(method, ast.FunctionDef):
                        yield f"{name}.{method.name}", (*path, ("body", number)), method
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, (*path, ("value", None)), value


def _short(node: ast.AST) -> str:
    return ast.unparse(node.test if isinstance(node, ast.If) else node)


def _walk(node: ast.AST, path: _Path = ()) -> Iterator[tuple[_Path, ast.AST]]:
    yield path, node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        if isinstance(value, ast.AST):
            yield from _walk(value, (*path, (field, None)))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _walk(item, (*path, (field, index)))


def _replaced(node: Any, path: _Path, new: ast.AST) -> Any:
    """
    Return the tree with another node in one place. All that lies beside the way to it is shared.
    """
    if not path:
        return ast.fix_missing_locations(ast.copy_location(new, node))
    (field, index), further = path[0], path[1:]
    value, changed = getattr(node, field), copy.copy(node)
    if index is None:
        setattr(changed, field, _replaced(value, further, new))
    else:
        setattr(changed, field, [*value[:index], _replaced(value[index], further, new), *value[index + 1 :]])
    return changed


@cache
def _code(name: str) -> CodeType:
    """
    Compile a module as it is.
    """
    return compile(parsed(name), str(sys.modules[name].__file__), "exec")


def load(mutant: Mutant, *following: str) -> dict[str, ModuleType]:
    """
    Run the mutated module, and then those *following* it, so that each imports the new ones before it.
    """
    names = (mutant.module, *following)
    before = {name: sys.modules[name] for name in names}
    try:
        for name in names:
            module = ModuleType(name)
            module.__file__ = before[name].__file__
            _put(name, module)
            code = compile(mutant.tree, str(module.__file__), "exec") if name == mutant.module else _code(name)
            exec(code, module.__dict__)
        return {name: sys.modules[name] for name in names}
    finally:
        for name, module in before.items():
            _put(name, module)


def _put(name: str, module: ModuleType) -> None:
    # `from package import module` looks at the package, and at sys.modules only if it finds nothing there.
    sys.modules[name] = module
    package, _, last = name.rpartition(".")
    if package:
        setattr(sys.modules[package], last, module)

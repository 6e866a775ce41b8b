"""Small sources in every language, each value of which was computed by hand; the computation stands beside it.

Cyclomatic: 1 a function, 1 a decision. Cognitive: `+n` an increment, the nesting in it in brackets.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """A source and what is true of its only function, or (without one) of the file."""

    path: str
    source: str
    cyclomatic: int
    cognitive: int | None
    nesting: int


EXAMPLES = {
    "python: straight": Example("a.py", "def f(a):\n    return a\n", 1, 0, 0),
    # 1 + if + for + if + while = 5; if +1, for +2 (1), if +3 (2), else +1, while +1 = 8
    "python: nesting": Example(
        "a.py",
        """
def f(a):
    if a:
        for b in a:
            if b:
                g()
            else:
                h()
    while a:
        a = a - 1
""",
        5,
        8,
        3,
    ),
    # 1 + if + 2 and + or + elif + 2 ternaries = 8; if +1, and-and +1, or +1, elif +1, else +1, ternary +2 (1),
    # ternary inside +3 (2) = 10. Ternaries are no control structures.
    "python: conditions": Example(
        "a.py",
        """
def f(a, b, c, d):
    if a and b and c or d:
        return 1
    elif b:
        return 2
    else:
        return 3 if a else (4 if b else 5)
""",
        8,
        10,
        1,
    ),
    # 1 + 2 except + case + guard = 5 (case _ is the default); except +1 each, else +1, match +1 = 4
    "python: handlers and cases": Example(
        "a.py",
        """
def f(a):
    try:
        g()
    except ValueError:
        pass
    except KeyError:
        pass
    else:
        pass
    match a:
        case 1 if b:
            pass
        case _:
            pass
""",
        5,
        4,
        1,
    ),
    # 1 + 2 for + if + or = 5; comprehensions cost no cognition, the or +1
    "python: comprehension": Example("a.py", "def f(a):\n    return [x for y in a for x in y if x or y]\n", 5, 1, 0),
    # `not (b and c)` begins a sequence of its own: and +1, and +1, if +1 = 3; 1 + if + 2 and = 4
    "python: negated sequence": Example(
        "a.py", "def f(a, b, c):\n    if a and not (b and c):\n        pass\n", 4, 3, 1
    ),
    # a || b && c || d is three sequences in the order of the text: 1 + 3 operators; +3
    "javascript: mixed sequence": Example("a.js", "function f(a, b, c, d) { return a || b && c || d; }", 4, 3, 0),
    # 1 + for + if + else-if + switch case + catch + ternary = 7 (default is none)
    # for +1, if +2 (1), else if +1, else +1, switch +1, catch +1, ternary +1 = 8
    "javascript: all": Example(
        "a.js",
        """
function f(a) {
  for (const b of a) {
    if (b) { g(); } else if (a) { h(); } else { i(); }
  }
  switch (a) { case 1: break; default: g(); }
  try { g(); } catch (e) { h(); }
  return a ? 1 : 2;
}
""",
        7,
        8,
        2,
    ),
    # 1 + for + while + if = 4; for +1, while +2 (1), if +3 (2), continue to a label +1 = 7
    "typescript: label": Example(
        "a.ts",
        """
export function f(a: number[]): void {
  outer: for (const b of a) {
    while (b) {
      if (a) { continue outer; }
    }
  }
}
""",
        4,
        7,
        3,
    ),
    # 1 + && + ?? = 3; && +1, ?? +1 (another operator, in another place) = 2
    "tsx: markup": Example("a.tsx", "export function F(p: P) { return <a b={p.x && p.y}>{p.z ?? 1}</a>; }", 3, 2, 0),
    # 1 + if + && + else if + for + case + guard + ? = 8 (_ is the default)
    # if +1, && +1, else if +1, else +1, for +1, match +2 (1) = 7
    "rust: all": Example(
        "a.rs",
        """
fn f(a: i32) -> Option<i32> {
    if a > 1 && a < 5 { g(); } else if a == 7 { h(); } else { i(); }
    for b in 0..a {
        match b { 1 if c => g(), _ => h() }
    }
    Some(x()?)
}
""",
        8,
        7,
        2,
    ),
    # 1 + loop + while = 3; loop +1, while +2 (1), break of a label +1 = 4
    "rust: loops": Example("a.rs", "fn f() { 'l: loop { while true { break 'l; } } }", 3, 4, 2),
    # 1 + if + || + else if + for + 2 cases + 1 case of the select = 8 (defaults are none)
    # if +1, || +1, else if +1, else +1, for +1, switch +2 (1), select +1, goto +1 = 9
    "go: all": Example(
        "a.go",
        """package p

func F(a int) {
	if a > 1 || a < 0 { g() } else if a == 0 { h() } else { i() }
	for b := range a {
		switch b { case 1, 2: g()
		case 3: h()
		default: i() }
	}
	select { case <-c: g()
	default: goto end }
end:
	return
}
""",
        8,
        9,
        2,
    ),
    # 1 + if inside of a function value = 2; the if stands one level deeper: +2 (1)
    "go: function value": Example("a.go", "package p\n\nfunc F() { g(func() { if a { h() } }) }\n", 2, 2, 1),
    # 1 + when + if + case clause + cond clause + second fn clause + && = 7 (_ and true are defaults)
    # if +1, else +1, case +1, cond +1, && +1 = 5
    "elixir: all": Example(
        "a.ex",
        """
defmodule A do
  def f(a) when a > 1 do
    if a do 1 else 2 end
    case a do
      1 -> :one
      _ -> :other
    end
    cond do
      a -> 1
      true -> 2
    end
    g(fn 1 -> 2; x -> x end)
    a && 1
  end
end
""",
        7,
        5,
        1,
    ),
    # 1 + with + for + unless + rescue clause = 5; with +1, for +1, unless +2 (1), rescue +1 = 5
    "elixir: blocks": Example(
        "a.ex",
        """
defmodule A do
  def f(a) do
    with {:ok, b} <- a do b end
    for b <- a do
      unless b do 1 end
    end
    try do
      g()
    rescue
      e in E -> e
    end
  end
end
""",
        5,
        5,
        2,
    ),
    # 1 + if + && + elif + for + while + case = 7 (*) is the default)
    # if +1, && +1, elif +1, else +1, for +1, while +2 (1), case +1 = 8
    "bash: all": Example(
        "a.sh",
        """
f() {
  if a && b; then c; elif d; then e; else g; fi
  for x in 1 2; do
    while y; do z; done
  done
  case $a in
    1) b ;;
    *) c ;;
  esac
}
""",
        7,
        8,
        2,
    ),
    # 1 + if + && + || + else if = 5; cognitive is not defined
    "nix: all": Example("a.nix", "{ f = x: y: if x && y || z then 1 else if a then 2 else 3; }", 5, None, 2),
}

# Outside of functions: 1 if + 1 and; if +1, and +1.
MODULE_LEVEL = Example("a.py", "if a and b:\n    c()\n", 2, 2, 1)


class LineExample(NamedTuple):
    """A source and its lines: all, code, comment, blank."""

    path: str
    source: str
    lines: tuple[int, int, int, int]


LINE_EXAMPLES = {
    # docstrings (3 lines, of which one is blank) and the comment are comments; x = 1  # c is code
    "python": LineExample("a.py", '"""a\n\nb"""\n# c\nx = 1  # c\n\n', (6, 1, 4, 1)),
    "python: blank line in a text": LineExample("a.py", 'x = """a\n\nb"""\n', (3, 3, 0, 0)),
    "javascript": LineExample("a.js", "#!/usr/bin/env node\n/* a\n\n b */ x = 1;\n// c\ny = `a\n\nb`;\n", (8, 4, 4, 0)),
    "typescript": LineExample("a.ts", "// a\nlet x: number = 1;\n\n", (3, 1, 1, 1)),
    "tsx": LineExample("a.tsx", "let x = <a>\n  b\n</a>;\n", (3, 3, 0, 0)),
    "rust": LineExample("a.rs", "/// a\nfn f() {}\n/* b\n*/\n\n", (5, 1, 3, 1)),
    "go": LineExample("a.go", "// a\npackage p\n\n/* b */ var x = 1\n", (4, 2, 1, 1)),
    # @doc and its text are a comment
    "elixir": LineExample("a.ex", 'defmodule A do\n  @doc """\n  b\n  """\n  def f, do: 1\n  # c\nend\n', (7, 3, 4, 0)),
    "bash": LineExample("a.sh", "#!/bin/sh\ncat <<E\na\n\nE\n\nx # c\n", (7, 5, 1, 1)),
    "nix": LineExample("a.nix", "# a\n{\n  b = ''\n    c\n\n  '';\n}\n", (7, 6, 1, 0)),
    "json": LineExample("a.json", '{\n\n  "a": 1\n}\n', (4, 3, 0, 1)),
    "toml": LineExample("a.toml", '# a\nb = """\n\nc"""\n', (4, 3, 1, 0)),
    "yaml": LineExample("a.yaml", "# a\nb: |\n  c\n\n  d\n\n", (6, 4, 1, 1)),
    "markdown": LineExample("a.md", "# a\n\n```\n\nb\n```\n", (6, 5, 0, 1)),
}

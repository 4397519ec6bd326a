"""What is wrong with a design file, and in which line."""


class DesignError(Exception):
    """A netlist or a library cannot be used; the text says what and where."""

    def __init__(self, problem: str, *, line: int | None = None) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem = problem
        self.line = line

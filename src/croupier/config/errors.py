"""What a wrong configuration raises."""


class ConfigError(Exception):
    """What is wrong with a configuration: one line a problem, each with file, key and reason."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

"""What a wrong configuration raises."""


class ConfigError(Exception):
    r"""What is wrong with a configuration: one line a problem, each with file, key and reason.

    >>> print(ConfigError("shop.toml: reward.cli\nck: not a name"))
    shop.toml: reward.cli\nck: not a name
    """

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(map(_one_line, problems))
        super().__init__("\n".join(self.problems))


def _one_line(problem: str) -> str:
    """What files say may hold line ends and escapes: they are shown, and not obeyed."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in problem)

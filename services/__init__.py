DISTRIBUTION = "rapport-relationships"  # as pyproject.toml has it; the command is `rapport`

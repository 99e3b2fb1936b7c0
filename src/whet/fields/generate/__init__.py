"""Generation: examples like the ones that were seen, of pictures and of tables' rows; asked for with `task="generate"`."""

TASKS = ("generate", "generation")

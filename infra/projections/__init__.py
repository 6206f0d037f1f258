"""Read models: each a fold of the log into its own tables, rebuilt at will beside the live one."""

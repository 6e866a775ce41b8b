"""One module a language: the table of its grammar, and what its definitions, imports and exports are called."""

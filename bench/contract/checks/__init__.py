"""The checks: every function here that `check` decorates is one, and no list names them."""

"""What the commands of `bench` do; `bench.cli.app` and its like declare them."""

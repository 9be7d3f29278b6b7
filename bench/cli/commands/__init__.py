"""What the commands of `bench` do; `bench.cli.app` declares them."""

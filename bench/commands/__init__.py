"""What the commands of `bench` do; `bench.cli` declares them."""

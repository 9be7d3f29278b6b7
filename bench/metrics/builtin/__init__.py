"""The metrics that ship: every public `Metric` of a file in this folder. The files import nothing heavy."""

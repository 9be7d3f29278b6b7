"""The options of every command: one dataclass each, from which the command line is made.

A field stands for one option or argument: its name, type, default and help text stand there and nowhere
else. A command gets the object. Options that belong together are a group, a dataclass used as a field.
"""

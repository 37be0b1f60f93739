"""The command line: one file per noun, or per verb where a noun has many.

Commands print data to stdout and talk to stderr. They parse what they were given into value objects, call one use
case, and show what came of it; nothing is decided here. A command's module is imported when it is run, and what is
heavy (cryptography, Rich, httpx) inside the function that needs it: `--help` and `client list` start fast.
"""

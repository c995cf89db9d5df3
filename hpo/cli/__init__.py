"""The command line, the only package that imports Typer: parse options, call a function, print."""

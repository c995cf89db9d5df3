"""Alternative tools that the speed benchmarks compare with, each used as its documentation shows."""

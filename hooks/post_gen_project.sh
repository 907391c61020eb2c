#!/bin/sh
# Leaves out what the answers leave out: whole files.
set -eu
example='{{ cookiecutter.example }}'
proof='{{ cookiecutter.proof }}'

# As `workspace remove-example` does in a workspace that is installed.
[ "$example" != none ] || python3 -I tools/src/workspace/example.py
[ "$proof" != no ] || rm -rf tests/simulation tests/faults

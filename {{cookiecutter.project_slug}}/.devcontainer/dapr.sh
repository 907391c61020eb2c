#!/usr/bin/env bash
# Dapr without Docker, for the dev container and for CI: the CLI, and what `dapr init --slim` installs.
set -euo pipefail

cli=1.16.5
runtime=1.18.2
to=$HOME/.local/bin

case $(uname -m) in
  x86_64) machine=amd64 ;;
  aarch64 | arm64) machine=arm64 ;;
  *) echo "Dapr has no release for $(uname -m): build it, as https://docs.dapr.io says." >&2; exit 1 ;;
esac
archive=dapr_linux_$machine.tar.gz
releases=https://github.com/dapr/cli/releases/download/v$cli

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for file in "$archive" "$archive.sha256"; do
  curl --fail --silent --show-error --location --retry 3 --max-time 300 \
    --output "$file" "$releases/$file"
done
# The published file names the archive by the path that it was built under.
echo "$(cut -d ' ' -f 1 "$archive.sha256")  $archive" | sha256sum --check --quiet
tar -xzf "$archive" dapr
mkdir -p "$to"
install -m 755 dapr "$to/dapr"

timeout 600 "$to/dapr" init --slim --runtime-version "$runtime"

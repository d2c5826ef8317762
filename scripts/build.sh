#!/usr/bin/env bash
# Builds the page and the client, and with them the binary dist/track-studio for this machine; or, for another target of Bun's,
#   scripts/build.sh bun-linux-arm64 FILE
# --minify would break the framework, which reads the text of functions.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-} file=${2:-dist/track-studio}

rm -rf dist/page
# For the target "browser", nested rules of styles would be written out; every browser that has popovers, which the page
# needs, knows them.
bun build src/dashboard/index.html --target=node --outdir dist/page --minify --entry-naming '[name].[ext]' \
  --chunk-naming 'assets/[name]-[hash].[ext]' --asset-naming 'assets/[name]-[hash].[ext]'
bun build src/client/client.ts --outfile dist/page/client.js --minify
bun scripts/client-types.ts >dist/page/client.d.ts

# What a start needs runs once, so it is interpreted: compiling it would take a fifth of the time. `main` and `serve` end that.
compile() { # FILE [FLAG...]
  bun build --compile "${@:2}" --minify-whitespace --minify-syntax --bytecode --format=esm \
    --compile-jit-policy=100 --splitting --sourcemap --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
    --asset src/store/sqlite/migrations --asset src/store/postgres/postgres-migrations --asset dist/page \
    --define BUILD_COMMIT="'$(git rev-parse --short HEAD 2>/dev/null || echo unknown)'" \
    --outfile "$1" src/main.ts
}

# Built twice: the first one records which functions a start needs, and the second has these beside each other.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compile "$scratch/first" >/dev/null
bun scripts/record-order.ts "$scratch/first" "$scratch/order"
compile "$file" ${target:+--target="$target"} --bytecode-order="$scratch/order"
rm -f "$(dirname "$file")"/*.map

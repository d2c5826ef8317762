#!/usr/bin/env bash
# Builds what is given to others, into dist/release: for each target an archive with the binary, what installs it, and
# the notices of what it contains; and SHA256SUMS over all of them. The same commit gives the same archives.
#   scripts/release.sh [TARGET...]        default: all of linux-x64 linux-arm64 linux-x64-musl linux-arm64-musl
#                                         darwin-arm64 darwin-x64
# What cannot run here is built all the same: Bun fetches the runtime of each target from the npm registry.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- linux-x64 linux-arm64 linux-x64-musl linux-arm64-musl darwin-arm64 darwin-x64

version=$(bun -p 'require("./package.json").version')
made=@$(git log -1 --format=%ct 2>/dev/null || echo 0)
release=dist/release
rm -rf "$release"
mkdir -p "$release"
bun scripts/notices.ts >"$release/THIRD-PARTY-NOTICES.txt"

for target in "$@"; do
  name=track-studio-$version-$target
  folder=$release/$name
  mkdir -p "$folder"
  scripts/build.sh "bun-$target" "$folder/track-studio" >/dev/null
  # What the README links to comes along.
  cp -r packaging docs examples "$folder/"
  cp LICENSE ./*.md "$release/THIRD-PARTY-NOTICES.txt" "$folder/"
  # Nothing of the time or the user goes in, so that anybody can check an archive by building it.
  tar --sort=name --mtime="$made" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' -C "$release" -cf - "$name" |
    gzip -n -6 >"$release/$name.tar.gz"
  rm -r "$folder"
  echo "$release/$name.tar.gz"
done
(cd "$release" && sha256sum -- *.tar.gz THIRD-PARTY-NOTICES.txt >SHA256SUMS)
cat "$release/SHA256SUMS"

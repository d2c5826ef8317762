import { chmodSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

import { PROGRAM } from "../server.ts"

/** The folder of the project. */
export const ROOT = join(import.meta.dir, "../..")
/** The script that installs. */
export const SCRIPT = join(ROOT, "packaging/install.sh")

/**
 * A program that answers at once what the installation asks, and otherwise runs the tested program. Each
 * label makes a different file, as each version is a different file.
 */
export function programIn(folder: string, label: string): string {
  const file = join(folder, `track-studio-${label}`)
  const tested = PROGRAM.map((word) => (word === "bun" ? process.execPath : resolve(ROOT, word)))
  writeFileSync(
    file,
    `#!/bin/sh
    case $1 in
      --version) echo "track-studio ${label}" ;;
      completion) echo "# $2" ;;
      *) exec ${tested.join(" ")} "$@" ;;
    esac`,
  )
  chmodSync(file, 0o755)
  return file
}

/** How the script ended. */
interface Installed {
  readonly code: number
  readonly said: string
}

/** Runs the script in a folder, by default this one, as a user whose new files nobody else may read. */
export function install(
  root: string,
  args: readonly string[],
  variables: Record<string, string> = {},
  cwd = ".",
): Installed {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    ["sh", "-c", 'umask 077; exec sh "$0" "$@"', SCRIPT, ...args],
    {
      env: { ...process.env, DESTDIR: root, PREFIX: "/usr/local", VIDEOS: "", ...variables },
      stdin: "ignore",
      cwd,
    },
  )
  return { code: exitCode, said: `${stdout}${stderr}` }
}

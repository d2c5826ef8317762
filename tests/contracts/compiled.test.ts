import { expect, test } from "bun:test"
import { cpSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"

import { found } from "../engines.ts"
import { temporaryFolder, textOf } from "../server.ts"

const ROOT = join(import.meta.dir, "../..")
const binary = process.env["TRACK_STUDIO_BINARY"]

/** The folders that the build puts into the binary for the stores. */
const ASSETS = ["src/store/sqlite/migrations", "src/store/postgres/postgres-migrations"]

/** How the program is compiled, but for what makes one file of it. */
function flags(): readonly string[] {
  const script = readFileSync(join(ROOT, "scripts/build.sh"), "utf8")
  const [, command = ""] = /^ *bun build --compile ([^]*?)--outfile/m.exec(script) ?? []
  return [...command.matchAll(/--(?:minify-whitespace|minify-syntax|format=esm|splitting)\b/g)].map(
    ([flag]) => flag,
  )
}

// What the compiler makes of the code, by the runtime that is in the binary.
test.skipIf(binary === undefined)(
  "the contracts of stores and buses hold for the compiled code in the binary's runtime, too",
  async () => {
    expect(flags()).toHaveLength(4)
    using folder = temporaryFolder()
    const build = ["build", "--target=bun", ...flags(), "--external", "bun:test", "--outdir", folder.path]
    const entry = join(import.meta.dir, "compiled.ts")
    const built = Bun.spawnSync(["bun", ...build, "--entry-naming", "[name].test.js", entry])
    expect([built.exitCode, built.exitCode === 0 ? "" : built.stderr.toString()]).toEqual([0, ""])
    for (const asset of ASSETS)
      cpSync(join(ROOT, asset), join(folder.path, asset.split("/").at(-1) ?? ""), { recursive: true })
    const child = Bun.spawn([resolve(binary ?? ""), "test", "./compiled.test.js"], {
      cwd: folder.path,
      env: { ...process.env, BUN_BE_BUN: "1" },
      stdout: "ignore",
      stderr: "pipe",
    })
    const said = await textOf(child.stderr)
    expect([await child.exited, ...said.matchAll(/^\(fail\).*$/gm)].map(String)).toEqual(["0"])
    const passed = Number(/^ *(\d+) pass$/m.exec(said)?.[1])
    expect(passed).toBeGreaterThan(found("postgres") === null ? 80 : 170)
  },
  240_000,
)

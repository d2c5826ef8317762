import { expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { temporaryFolder } from "../server.ts"

setDefaultTimeout(180_000)

const PACKAGING = join(import.meta.dir, "../../packaging")
const UNITS = ["track-studio.service", "track-studio-worker.service"] as const
const MOST_EXPOSED = 3

const hasSystemd = Bun.which("systemd-analyze") !== null
if (!hasSystemd) console.warn("skipped: systemd-analyze is not installed")

/** The report of systemd-analyze about a unit. */
function analyzed(unit: string, ...args: readonly string[]): readonly [code: number, said: string] {
  using folder = temporaryFolder()
  const file = join(folder.path, unit)
  // The program need not be installed here, but the path must be one of a program.
  const text = readFileSync(join(PACKAGING, unit), "utf8")
  writeFileSync(file, text.replaceAll("/usr/local/bin/track-studio", process.execPath))
  const { exitCode, stdout, stderr } = Bun.spawnSync(["systemd-analyze", ...args, file])
  return [exitCode, `${stdout}${stderr}`]
}

test.skipIf(!hasSystemd).each([...UNITS])("systemd finds nothing to complain of in %s", (unit) => {
  expect(analyzed(unit, "verify", "--man=no")).toEqual([0, ""])
})

test.skipIf(!hasSystemd).each([...UNITS])(`${MOST_EXPOSED} is more than the exposure of %s`, (unit) => {
  const [, said] = analyzed(unit, "security", "--offline=true")
  const exposure = Number(/Overall exposure level for .*: (\d+\.\d+)/.exec(said)?.[1])
  expect(exposure).toBeGreaterThan(0)
  expect(exposure).toBeLessThan(MOST_EXPOSED)
})

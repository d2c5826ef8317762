import { expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { MISTAKES } from "./mistakes.ts"

const ROOT = join(import.meta.dir, "../..")

// Otherwise only the long run would find a mistake that no longer fits.
test("each small mistake fits the source at one place, and its tests are there", () => {
  const misfits = MISTAKES.filter(
    ({ file, from }) => readFileSync(join(ROOT, file), "utf8").split(from).length !== 2,
  )
  expect(misfits.map(({ file, name }) => `${file}: ${name}`)).toEqual([])
  const missing = MISTAKES.flatMap(({ tests }) => tests).filter((path) => !existsSync(join(ROOT, path)))
  expect([...new Set(missing)]).toEqual([])
})

import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { MISTAKES } from "../mutations/mistakes.ts"
import { PROMISES } from "./promises.ts"

const ROOT = join(import.meta.dir, "../..")

// Whether the test does notice the mistake, only `bun tests/mutations/main.ts` finds out.
test.each(PROMISES.map((one) => [one.promise, one] as const))(
  "has a test, and a mistake that it must notice: %s",
  (_promise, { file, test: name, controls }) => {
    expect([name, readFileSync(join(ROOT, file), "utf8").includes(`"${name}`)]).toEqual([name, true])
    expect(controls).not.toEqual([])
    for (const control of controls) {
      const mistake = MISTAKES.find((one) => one.name === control && one.tests.includes(file))
      expect([control, mistake?.name]).toEqual([control, control])
    }
  },
)

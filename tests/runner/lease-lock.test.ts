import { expect, spyOn, test } from "bun:test"
import { fstatSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import * as libc from "../../src/machine/libc.ts"
import { LeaseFile } from "../../src/runner/lease-file.ts"
import { temporaryFolder } from "../server.ts"

test("a file of leases is locked at its path, even if another process replaces its lock while it is taken", () => {
  using home = temporaryFolder()
  const lockOf = (): string => join(home.path, readdirSync(home.path)[0] ?? "")
  const really = libc.lock
  let tries = 0
  using _lock = spyOn(libc, "lock").mockImplementation((descriptor) => {
    tries += 1
    if (tries === 1) {
      const path = lockOf()
      rmSync(path)
      writeFileSync(path, "")
    }
    return really(descriptor)
  })
  const file = new LeaseFile(home.path, "http://a")
  expect([tries, fstatSync(file.descriptor ?? -1).ino]).toEqual([2, statSync(lockOf()).ino])
  file.close()
})

import { expect, test } from "bun:test"

import { once } from "../../src/http/page-files.ts"

test("what could not be made is made at the next request, and then kept", async () => {
  let tries = 0
  const file = once(async () => {
    tries += 1
    if (tries === 1) throw new Error("too many files are open")
    return tries
  })
  await expect(file()).rejects.toThrow("too many files are open")
  expect([await file(), await file()]).toEqual([2, 2])
})

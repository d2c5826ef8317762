import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { isEmptied, sizeOf } from "../../src/machine/machine.ts"
import { makeRoomToStart } from "../../src/serve/database.ts"
import { temporaryFolder } from "../server.ts"

test("a start on a full disk frees the room that is kept for results, which a killed server had not freed yet", () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  const ballast = `${database}.ballast`
  writeFileSync(ballast, "room")
  makeRoomToStart(database, () => 2 ** 20)
  expect(sizeOf(ballast)).toBe(4)
  makeRoomToStart(database, () => 2 ** 20 - 1)
  expect(isEmptied(ballast)).toBeTrue()
  // Before the first start there is no folder.
  expect(() => makeRoomToStart(join(folder.path, "new", "queue.db"))).not.toThrow()
})

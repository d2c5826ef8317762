import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { isEmptied } from "../../src/machine/machine.ts"
import { makeRoomToStart } from "../../src/serve/open-store.ts"
import { sizeOf } from "../../src/store/sqlite/database-path.ts"
import { PROGRAM, start, temporaryFolder } from "../server.ts"

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

test.skipIf(process.getuid?.() !== 0)("a server starts on such a disk; only root can try", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  const full = `head -c 2M /dev/zero >${database}.ballast && ! cat /dev/zero 2>/dev/null >${folder.path}/filler`
  const script = `mount -t tmpfs -o size=3m tmpfs ${folder.path} && ${full} && exec ${PROGRAM.join(" ")} "$@"`
  await using server = await start({ program: ["unshare", "-m", "sh", "-c", script, "sh"], database })
  const { reasons }: { reasons: string[] } = await (await fetch(`${server.url}/health`)).json()
  expect(reasons).toContain("disk_full")
})

import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { start, temporaryFolder, type TestServer } from "../server.ts"
import { finished, historyOf, itemOf, Program, studio, until } from "./programs.ts"

setDefaultTimeout(180_000)

/** Starts a server on the port of this one, with this database. */
const inPlaceOf = (server: TestServer, database: string): Promise<TestServer> =>
  start({ args: ["--port", new URL(server.url).port], database })

test.each([true, false])(
  "the result of work for an item that a replaced server does not have is reported to the right one; was it empty: %j",
  async (isEmpty) => {
    using folder = temporaryFolder()
    const database = join(folder.path, "right.db")
    const first = await start({ database })
    const id = await first.add()
    const [log, go] = [join(folder.path, "log"), join(folder.path, "go")]
    const exec = `echo $TRACK_STUDIO_SONG_ID >> ${log}; echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done; echo ended`
    const env = { XDG_STATE_HOME: folder.path }
    await using worker: Program = studio(first, ["work", "--exec", exec, "--worker", "box"], { env })
    await until(first, id, ({ progress }) => progress === 10)
    const otherDatabase = join(folder.path, "other.db")
    if (!isEmpty) {
      // The worker may ask as soon as the other server listens, so the item must be there before.
      const before = await start({ database: otherDatabase })
      await before.add({ song_id: 2, tags: ["elsewhere"] })
      await before.end()
    }
    await first.end()
    const other = await inPlaceOf(first, otherDatabase)
    await worker.prints(
      isEmpty ? "does not exist; rendering continues" : "is another one; rendering continues",
    )
    await Bun.write(go, "")
    await worker.prints("the server does not have this item; its result is kept")
    // The slot is free: another song is rendered meanwhile.
    const next = await other.add({ song_id: 3 })
    expect(await finished(other, next)).toMatchObject({ status: "completed", attempt: 1 })
    if (!isEmpty) expect(await itemOf(other, id)).toMatchObject({ status: "queued", attempt: 0 })
    await other.end()
    await using right = await inPlaceOf(first, database)
    expect(await finished(right, id)).toMatchObject({ status: "completed", attempt: 1 })
    await worker.prints("as its last worker could not report")
    worker.kill("SIGTERM")
    expect(await worker.ends()).toBe(0)
    expect(await Bun.file(log).text()).toBe("1\n3\n")
    expect((await historyOf(right, id)).length).toBeGreaterThan(0)
  },
)

test("run names the last lease of a result that a replaced server cannot take, though it does not hold it any more", async () => {
  using folder = temporaryFolder()
  const [database, otherDatabase] = [join(folder.path, "right.db"), join(folder.path, "other.db")]
  const before = await start({ database: otherDatabase })
  await before.add({ song_id: 2 })
  await before.end()
  const first = await start({ database })
  const id = await first.add()
  const go = join(folder.path, "go")
  const script = `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done`
  const args = ["run", "--item", String(id), "--report-within", "1", "--", "sh", "-c", script]
  await using render = studio(first, args, { env: { XDG_STATE_HOME: folder.path } })
  await until(first, id, ({ progress }) => progress === 10)
  await first.end()
  const other = await inPlaceOf(first, otherDatabase)
  await render.prints("is another one; rendering continues")
  await Bun.write(go, "")
  expect(await render.ends()).toBe(1)
  expect((await render.stderr).toString()).toMatch(
    new RegExp(`run: track-studio set ${id} --status completed --lease \\S+ --server ${first.url}\n$`),
  )
  expect(await itemOf(other, id)).toMatchObject({ status: "queued", attempt: 0 })
  await other.end()
})

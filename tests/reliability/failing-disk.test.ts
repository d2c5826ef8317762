import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { figure, historyOf } from "../proof.ts"
import { Reader } from "../reader.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"
import { FaultyServer, WITHOUT_SHIM } from "./shim.ts"

setDefaultTimeout(180_000)

/** Changes the message of an item; returns the status. */
async function say(server: TestServer, id: number, message: string): Promise<number> {
  const answer = await server.api("PUT", `/queue/${id}`, { message })
  await answer.arrayBuffer()
  return answer.status
}

/** Resolves when `/health` names the reason, or no longer names it. */
async function named(server: TestServer, reason: string, isWanted: boolean): Promise<void> {
  for (;;) {
    const health: { reasons: string[] } = await (await fetch(`${server.url}/health`)).json()
    if (health.reasons.includes(reason) === isWanted) return
    await Bun.sleep(20)
  }
}

/** Resolves when the log has such a line. */
async function logged(server: TestServer, line: RegExp): Promise<void> {
  while (!line.test(server.log)) await Bun.sleep(10)
}

test.skipIf(WITHOUT_SHIM !== undefined).each(["full", "readonly", "broken", "unsynced", "slow"] as const)(
  `a disk that is %s loses nothing acknowledged, stops no reader, and is written again once it is well${
    WITHOUT_SHIM === undefined ? "" : `: ${WITHOUT_SHIM}`
  }`,
  async (fault) => {
    using folder = temporaryFolder()
    const acknowledged: string[] = []
    let id = 0
    {
      await using faulty = await FaultyServer.start(folder.path, { args: ["--keepalive-ms", "100"] })
      const { server } = faulty
      id = await server.add()
      const before = await Reader.open(`${server.url}/api/v1/progress/stream`)
      await before.first("live")
      const told = async (message: string): Promise<number> => {
        const status = await say(server, id, message)
        if (status === 200) acknowledged.push(message)
        return status
      }
      expect(await told("before")).toBe(200)
      faulty.now(fault)
      const statuses: number[] = []
      for (let i = 0; i < 10; i += 1) statuses.push(await told(`during ${i}`))
      if (fault === "slow") expect(new Set(statuses)).toEqual(new Set([200]))
      else expect(new Set(statuses)).toEqual(new Set([503]))
      // A reader sees the state from before.
      expect((await server.item(id)).message).toBe(acknowledged.at(-1) ?? "")
      const during = await Reader.open(`${server.url}/api/v1/progress/stream`)
      await during.first("live")
      const { length } = before.raw
      while (before.raw.length === length) await Bun.sleep(5)
      if (fault !== "slow") await named(server, "database_unwritable", true)
      const wellMs = performance.now()
      faulty.now("ok")
      for (let i = 0; (await told(`after ${i}`)) !== 200; i += 1) await Bun.sleep(20)
      figure(`${fault}: written again ${(performance.now() - wellMs).toFixed(0)} ms after the disk was well`)
      await named(server, "database_unwritable", false)
      if (fault !== "slow") await logged(server, /"no longer degraded",.*"database_unwritable"/)
      const degraded = server.log.match(/"error","msg":"degraded",.*"database_unwritable"/g) ?? []
      expect(degraded).toHaveLength(fault === "slow" ? 0 : 1)
      const last = acknowledged.at(-1)
      for (const reader of [before, during]) {
        await reader.until((seen) => seen.at(-1)?.data["message"] === last)
        reader.leave()
      }
    }
    expect((await run(["check", "--database", join(folder.path, "queue.db")])).code).toBe(0)
    await using again = await start({ database: join(folder.path, "queue.db") })
    const kept = (await historyOf(again, id)).map(({ message }) => message)
    expect(kept).toEqual(expect.arrayContaining(acknowledged))
  },
)

test.skipIf(WITHOUT_SHIM !== undefined)(
  "a disk that hangs for seconds at each sync does not keep the server from stopping",
  async () => {
    using folder = temporaryFolder()
    await using faulty = await FaultyServer.start(folder.path)
    const { server } = faulty
    await server.add()
    faulty.now("stuck")
    const adding = server.add().catch(() => undefined)
    const startedMs = performance.now()
    await server.end()
    // A stop needs four syncs, and waits for the end of one of them at most.
    expect(performance.now() - startedMs).toBeLessThan(8000)
    await adding
    faulty.now("ok")
    expect((await run(["check", "--database", join(folder.path, "queue.db")])).code).toBe(0)
  },
)

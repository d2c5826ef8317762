import { expect, spyOn, test } from "bun:test"

import { type Claimed, type Held, ServerError } from "../../src/client/client.ts"
import { branded } from "../../src/runner/process-brand.ts"
import { WorkerLeases } from "../../src/runner/worker-leases.ts"
import { temporaryFolder } from "../server.ts"
import { heirOf, leaveCompleted, leftIn, SERVER } from "./left-leases.ts"

test("a completed item that waits for another worker is asked for again, until it is free or taken", async () => {
  using folder = temporaryFolder()
  leaveCompleted(folder.path)
  const said: string[] = []
  const answers = ["leased", "leased", "illegal_move"]
  const client = {
    complete: () => Promise.reject(new ServerError(409, "the lease is lost", { code: "lease_lost" })),
    take: () => Promise.reject(new ServerError(409, "not now", { code: answers.shift() ?? "" })),
  }
  const kept = new WorkerLeases(folder.path, SERVER, heirOf(said, client))
  for (let look = 0; look < 4; look += 1) await kept.inherit()
  kept.close()
  expect(answers).toEqual([])
  expect(said).toEqual(["queue item 7: its earlier result does not count: not now"])
})

test.each([
  [1, "a", "its earlier result does not count: another attempt"],
  [3, "a", "its earlier result does not count: another attempt"],
  // It is the item of another song, which has the number in a queue that was begun since.
  [2, "b", "the server has begun a new queue, in which queue item 7 is another one; its result is kept"],
])(
  "an earlier result is not entered into an item that has attempt %d after its claim and was added at %s",
  async (attempt, queued_at, why) => {
    using folder = temporaryFolder()
    leaveCompleted(folder.path, "a")
    const [said, released]: [string[], string[]] = [[], []]
    const claimed: unknown = { item: { id: 7, attempt, queued_at }, lease: { token: "second" } }
    const client = {
      complete: () => Promise.reject(new ServerError(409, "the lease is lost", { code: "lease_lost" })),
      take: async () => claimed,
      release: async ({ token }: Held) => void released.push(token),
    }
    const kept = new WorkerLeases(folder.path, SERVER, heirOf(said, client))
    await kept.inherit()
    expect(await kept.takeOver(claimed as Claimed)).toBe(false)
    kept.close()
    expect(released).toEqual(["second"])
    expect(said).toEqual([expect.stringContaining(why)])
  },
)

test.each([2, 3, 4])(
  "an earlier result counts when its item is claimed as attempt %d of at most 3",
  async (attempt) => {
    using folder = temporaryFolder()
    leaveCompleted(folder.path, "a")
    const silence = new ServerError(0, "no answer", { code: "unreachable" })
    const reported: string[] = []
    const client = {
      complete: async ({ token }: Held) => {
        reported.push(token)
        if (token === "seven") throw new ServerError(409, "the lease is lost", { code: "lease_lost" })
      },
      take: () => Promise.reject(silence),
    }
    const kept = new WorkerLeases(folder.path, SERVER, heirOf([], client))
    await expect(kept.inherit()).rejects.toBe(silence)
    const claimOf = (id: number, queued_at = "a"): unknown => ({
      item: { id, attempt, queued_at },
      lease: { token: "second" },
    })
    expect(await kept.takeOver(claimOf(8) as Claimed)).toBe(false)
    expect(await kept.takeOver(claimOf(7, "b") as Claimed)).toBe(false)
    const isOurs = attempt <= 3
    expect(await kept.takeOver(claimOf(7) as Claimed)).toBe(isOurs)
    if (isOurs) await kept.inherit()
    kept.close()
    expect(reported).toEqual(isOurs ? ["seven", "second"] : ["seven"])
  },
)

test("an earlier failure whose lease is lost is left alone, and its item is not claimed for it", async () => {
  using folder = temporaryFolder()
  leaveCompleted(folder.path, "a", { end: "fail", failure: { error_message: "no room", retryable: true } })
  const [said, taken]: [string[], number[]] = [[], []]
  const client = {
    fail: () => Promise.reject(new ServerError(409, "the lease is lost", { code: "lease_lost" })),
    take: async ({ id }: { id: number }) => void taken.push(id),
  }
  const kept = new WorkerLeases(folder.path, SERVER, heirOf(said, client))
  await kept.inherit()
  kept.close()
  expect(taken).toEqual([])
  expect(said).toEqual(["queue item 7: its earlier result does not count: the lease is lost"])
})

test("an earlier result counts although a backup from before its claim was restored, once the server is back", async () => {
  using folder = temporaryFolder()
  leaveCompleted(folder.path, "a")
  const [said, reported]: [string[], string[]] = [[], []]
  const silence = new ServerError(0, "no answer", { code: "unreachable" })
  const pages = [
    [{ updates: [{}], next: 5 }, silence],
    [
      { updates: [{}], next: 5 },
      { updates: [{ attempt: 0 }], next: null },
    ],
  ].flat()
  const client = {
    complete: async ({ token }: Held) => {
      reported.push(token)
      if (token === "seven") throw new ServerError(409, "the lease is lost", { code: "lease_lost" })
    },
    history: async () => {
      const page = pages.shift()
      if (page instanceof Error) throw page
      return page
    },
    take: async () => ({ item: { id: 7, attempt: 1, queued_at: "a" }, lease: { token: "second" } }),
  }
  const kept = new WorkerLeases(folder.path, SERVER, heirOf(said, client))
  await expect(kept.inherit()).rejects.toBe(silence)
  await kept.inherit()
  kept.close()
  expect(reported).toEqual(["seven", "seven", "second"])
  expect(said).toEqual(["queue item 7: completed, as its last worker could not report"])
})

test("what is left of a killed worker's command is ended before its item goes back to the queue", async () => {
  using folder = temporaryFolder()
  const mark = `${crypto.randomUUID()}.1.`
  const left = branded(mark, () => Bun.spawn(["sleep", "60"], { detached: true, stdin: "ignore" }))
  const killed = new WorkerLeases(folder.path, SERVER, heirOf([]))
  killed.hold({ id: 7, token: "seven", attempt: 1, mark })
  killed.close()
  const said: string[] = []
  const ended: boolean[] = []
  const release = async (): Promise<void> =>
    void ended.push(await Promise.race([left.exited.then(() => true), Bun.sleep(2000).then(() => false)]))
  const kept = new WorkerLeases(folder.path, SERVER, heirOf(said, { release }))
  await kept.inherit()
  kept.close()
  left.kill("SIGKILL")
  expect(ended).toEqual([true])
  expect(said).toEqual(["queue item 7: returned to the queue, because its worker was killed"])
})

test("an earlier result for an item that the server does not have is given up after the time for reports", async () => {
  using folder = temporaryFolder()
  leaveCompleted(folder.path, "a")
  const said: string[] = []
  const missing = new ServerError(404, "queue item 7 does not exist", { code: "not_found" })
  const client = { complete: () => Promise.reject(missing) }
  const kept = new WorkerLeases(folder.path, SERVER, { ...heirOf(said, client), reportWithinMs: 0 })
  await kept.inherit()
  expect(said).toEqual(["queue item 7: its earlier result does not count: queue item 7 does not exist"])
  kept.close()
  expect(leftIn(folder.path)).toEqual([])
})

test("an item that the server does not have is asked for every 5 s, and the user reads once that its result is kept", async () => {
  let nowMs = 0
  using _steady = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _wall = spyOn(Date, "now").mockImplementation(() => nowMs)
  using folder = temporaryFolder()
  leaveCompleted(folder.path, "a")
  const [said, asked]: [string[], number[]] = [[], []]
  const missing = new ServerError(404, "queue item 7 does not exist", { code: "not_found" })
  const client = { complete: () => (asked.push(nowMs), Promise.reject(missing)) }
  const kept = new WorkerLeases(folder.path, SERVER, { ...heirOf(said, client), reportWithinMs: 60_000 })
  for (nowMs of [0, 4999, 5000, 9999, 10_000]) await kept.inherit()
  kept.close()
  expect(asked).toEqual([0, 5000, 10_000])
  expect(said).toEqual(["queue item 7: queue item 7 does not exist; its result is kept and tried again"])
})

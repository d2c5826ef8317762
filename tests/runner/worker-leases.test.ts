import { describe, expect, spyOn, test } from "bun:test"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"

import { type Claimed, type Held, ServerError } from "../../src/client/client.ts"
import { LeaseFile, leasesIn } from "../../src/runner/lease-file.ts"
import { WorkerLeases } from "../../src/runner/worker-leases.ts"
import { temporaryFolder } from "../server.ts"
import { heirOf, leaveCompleted, leftIn, SERVER } from "./left-leases.ts"

test("a lease that was claimed again is kept by its new token alone", () => {
  using folder = temporaryFolder()
  const said: string[] = []
  const kept = new WorkerLeases(folder.path, SERVER, heirOf(said))
  const held = kept.hold({ id: 7, token: "first", attempt: 1 })
  const again: unknown = { item: { attempt: 2 }, lease: { token: "second" } }
  held.notes.onUnanswered(1)
  held.notes.onClaimedAgain(again as Claimed)
  held.onVerdict({ end: "release" })
  // Its worker is gone, and the next one takes over its leases.
  kept.close()
  expect(leftIn(folder.path)).toEqual([
    { id: 7, token: "second", attempt: 2, unanswered: 0, verdict: { end: "release" } },
  ])
  expect(said).toEqual([])
})

test("a lease that is claimed again is in the file at every moment, once", () => {
  using folder = temporaryFolder()
  const file = new LeaseFile(leasesIn(folder.path), SERVER)
  const lease = { id: 7, token: "first", attempt: 1 }
  file.set(lease)
  file.set({ ...lease, token: "second", attempt: 2 }, "first")
  file.close()
  expect(leftIn(folder.path)).toEqual([{ id: 7, token: "second", attempt: 2 }])
})

/** The next of some answers; an error among them is thrown. */
async function next(answers: unknown[]): Promise<unknown> {
  const answer = answers.shift()
  if (answer instanceof Error) throw answer
  return answer
}

describe("an earlier result counts although its heir is killed", () => {
  const silence = new ServerError(0, "no answer", { code: "unreachable" })
  const lost = new ServerError(409, "the lease is lost", { code: "lease_lost" })
  const taken = new ServerError(409, "it is processing", { code: "illegal_move" })
  const again = (attempt: number): unknown => ({ item: { attempt }, lease: { token: "second" } })

  test.each([
    ["between its claim and the result", [again(2)], [lost, silence, undefined]],
    ["before it reads the answer to its claim", [silence, taken, again(3)], [lost, lost, undefined]],
  ])("%s", async (_when, claims, results) => {
    using folder = temporaryFolder()
    leaveCompleted(folder.path)
    const reported: string[] = []
    const client = {
      complete: ({ token }: Held) => (reported.push(token), next(results)),
      take: () => next(claims),
    }
    const heir = heirOf([], client)
    const killed = new WorkerLeases(folder.path, SERVER, heir)
    await expect(killed.inherit()).rejects.toBe(silence)
    killed.close()
    const last = new WorkerLeases(folder.path, SERVER, heir)
    for (let look = 0; look < 2; look += 1) await last.inherit()
    last.close()
    expect(reported.at(-1)).toBe("second")
    expect([claims, readdirSync(leasesIn(folder.path))]).toEqual([[], []])
  })
})

test("the item of a killed worker is returned and reported once, also if its heir's file lists it, too", async () => {
  using folder = temporaryFolder()
  for (let file = 0; file < 2; file += 1) {
    const killed = new WorkerLeases(folder.path, SERVER, heirOf([]))
    killed.hold({ id: 7, token: "seven", attempt: 1 })
    killed.close()
  }
  const [said, released]: string[][] = [[], []]
  const client = { release: async ({ token }: Held) => void released?.push(token) }
  const kept = new WorkerLeases(folder.path, SERVER, heirOf(said ?? [], client))
  await kept.inherit()
  await kept.inherit()
  kept.close()
  expect([released, said?.length]).toEqual([["seven"], 1])
})

test("an earlier result counts although the answer to the claim, and then to the result, is lost", async () => {
  using folder = temporaryFolder()
  leaveCompleted(folder.path)
  const said: string[] = []
  const silence = new ServerError(0, "no answer", { code: "unreachable" })
  const lost = new ServerError(409, "the lease is lost", { code: "lease_lost" })
  const taken = new ServerError(409, "it is processing", { code: "illegal_move" })
  const claims = [silence, taken, { item: { attempt: 3 }, lease: { token: "second" } }]
  const results = [lost, silence, undefined]
  const reported: string[] = []
  const client = {
    complete: ({ token }: Held) => (reported.push(token), next(results)),
    take: () => next(claims),
  }
  const kept = new WorkerLeases(folder.path, SERVER, heirOf(said, client))
  await expect(kept.inherit()).rejects.toBe(silence)
  await kept.inherit()
  await expect(kept.inherit()).rejects.toBe(silence)
  await kept.inherit()
  kept.close()
  expect(reported).toEqual(["seven", "second", "second"])
  expect(said).toEqual(["queue item 7: completed, as its last worker could not report"])
})

test("a claim that was refused is not remembered as one that may have been carried out", async () => {
  using folder = temporaryFolder()
  leaveCompleted(folder.path)
  const client = {
    complete: () => Promise.reject(new ServerError(409, "the lease is lost", { code: "lease_lost" })),
    take: () => Promise.reject(new ServerError(409, "not now", { code: "leased" })),
  }
  const kept = new WorkerLeases(folder.path, SERVER, heirOf([], client))
  await kept.inherit()
  kept.close()
  expect(leftIn(folder.path)).toMatchObject([{ token: "seven", unanswered: 0 }])
})

describe("an item that this worker claims while its earlier result is being reported", () => {
  test.each([
    ["is completed by that claim", [], ["seven", "second"], []],
    ["is given back if another attempt has begun since", [4], ["seven", "second"], ["third"]],
  ])("%s", async (_what, later, reports, gaveBack) => {
    using folder = temporaryFolder()
    leaveCompleted(folder.path)
    const [reported, released]: [string[], string[]] = [[], []]
    const silence = new ServerError(0, "no answer", { code: "unreachable" })
    const claimOf = (attempt: number, token: string): unknown => ({
      item: { id: 7, attempt },
      lease: { token },
    })
    const claims = [
      () => Promise.reject(silence),
      async () => {
        expect(await kept.takeOver(claimOf(2, "second") as Claimed)).toBe(true)
        return Promise.reject(new ServerError(409, "it is processing", { code: "illegal_move" }))
      },
      async () => claimOf(later.shift() ?? 0, "third"),
    ]
    const client = {
      complete: async ({ token }: Held) => {
        reported.push(token)
        if (token === "seven" || later.length > 0)
          throw new ServerError(409, "the lease is lost", { code: "lease_lost" })
      },
      take: () => claims.shift()?.(),
      release: async ({ token }: Held) => void released.push(token),
    }
    const kept = new WorkerLeases(folder.path, SERVER, heirOf([], client))
    await expect(kept.inherit()).rejects.toBe(silence)
    await kept.inherit()
    kept.close()
    expect([reported, released]).toEqual([reports, gaveBack])
    expect(readdirSync(leasesIn(folder.path))).toEqual([])
  })
})

test("an item that is claimed while a killed worker's guard still locks its file waits for its result there", async () => {
  using folder = temporaryFolder()
  const claimOf = (id: number, queued_at: string): Claimed => {
    const claimed: unknown = { item: { id, attempt: 2, queued_at }, lease: { token: "second" } }
    return claimed as Claimed
  }
  // The guard keeps the lock until this is closed.
  const killed = new WorkerLeases(folder.path, SERVER, heirOf([]))
  killed.hold({ id: 7, token: "seven", attempt: 1, queued_at: "a" })
  const other = new WorkerLeases(folder.path, "http://127.0.0.1:2", heirOf([]))
  other.hold({ id: 8, token: "eight", attempt: 1, queued_at: "a" })
  const kept = new WorkerLeases(folder.path, SERVER, heirOf([]))
  for (const free of [claimOf(8, "a"), claimOf(7, "b")]) expect(await kept.takeOver(free)).toBe(false)
  // Otherwise the lease that was just claimed would end meanwhile, each time.
  const short = new WorkerLeases(folder.path, SERVER, { ...heirOf([]), leaseS: 1 })
  const startedMs = performance.now()
  expect(await short.takeOver(claimOf(7, "a"))).toBe(false)
  expect(performance.now() - startedMs).toBeLessThan(6000)
  const isDone = kept.takeOver(claimOf(7, "a"))
  expect(await Promise.race([isDone, Bun.sleep(100)])).toBeUndefined()
  killed
    .hold({ id: 7, token: "seven", attempt: 1, queued_at: "a" })
    .onVerdict({ end: "complete", result: {} })
  killed.close()
  expect(await isDone).toBe(true)
  for (const each of [other, short, kept]) each.close()
  expect(leftIn(folder.path)).toMatchObject([{ token: "second" }])
})

describe("leases on a disk that is full for a while", () => {
  /** Makes every write of the file fail, as on a full disk. Disposing of the result ends that. */
  function obstructed(folder: string): Disposable {
    const [name = ""] = readdirSync(leasesIn(folder)).filter((each) => each.endsWith(".lock"))
    const obstacle = join(leasesIn(folder), `${name.slice(0, -".lock".length)}.json.new`)
    mkdirSync(join(obstacle, "in the way"), { recursive: true })
    return { [Symbol.dispose]: () => rmSync(obstacle, { recursive: true }) }
  }

  test("are written with the next change once there is room, and the fault is said once", () => {
    using folder = temporaryFolder()
    const said: string[] = []
    const kept = new WorkerLeases(folder.path, SERVER, heirOf(said))
    const held = kept.hold({ id: 7, token: "seven", attempt: 1 })
    {
      using _full = obstructed(folder.path)
      held.onVerdict({ end: "release" })
      kept.hold({ id: 8, token: "eight", attempt: 1 })
      expect(kept.isKept).toBe(false)
    }
    kept.hold({ id: 9, token: "nine", attempt: 1 }).end()
    expect(kept.isKept).toBe(true)
    kept.close()
    expect(leftIn(folder.path)).toEqual([
      { id: 7, token: "seven", attempt: 1, verdict: { end: "release" } },
      { id: 8, token: "eight", attempt: 1 },
    ])
    expect(said).toEqual([expect.stringContaining("leases cannot be kept on the disk")])
  })

  test("are written without a change, too, and one that has ended meanwhile is not left behind", async () => {
    using folder = temporaryFolder()
    const kept = new WorkerLeases(folder.path, SERVER, heirOf([]))
    const held = kept.hold({ id: 7, token: "seven", attempt: 1 })
    {
      using _full = obstructed(folder.path)
      held.end()
    }
    await kept.inherit()
    kept.close()
    expect(readdirSync(leasesIn(folder.path))).toEqual([])
  })
})

test("leases that could not be written leave nothing half done on the disk", () => {
  using folder = temporaryFolder()
  const file = new LeaseFile(leasesIn(folder.path), SERVER)
  // Nothing can take its place.
  mkdirSync(file.path)
  expect(() => file.set({ id: 7, token: "seven", attempt: 1 })).toThrow(file.path)
  expect(readdirSync(leasesIn(folder.path)).filter((name) => name.endsWith(".new"))).toEqual([])
})

describe("a killed worker whose heir has a full disk", () => {
  test("leaves its leases in its file until they are written elsewhere", () => {
    using folder = temporaryFolder()
    const killed = new WorkerLeases(folder.path, SERVER, heirOf([]))
    killed.hold({ id: 7, token: "seven", attempt: 1 })
    killed.close()
    const heir = new LeaseFile(leasesIn(folder.path), SERVER)
    const obstacle = `${heir.path}.new`
    mkdirSync(obstacle)
    expect(heir.adopt()).toEqual([{ id: 7, token: "seven", attempt: 1 }])
    expect(() => heir.save()).toThrow(obstacle)
    // Nobody else takes them over while the heir lives, and it is killed before it can write them.
    expect(leftIn(folder.path)).toEqual([])
    rmSync(obstacle, { recursive: true })
    heir.close()
    expect(leftIn(folder.path)).toEqual([{ id: 7, token: "seven", attempt: 1 }])
  })

  test("has its result reported, although the heir can write nothing, or not even create a file", async () => {
    using folder = temporaryFolder()
    leaveCompleted(folder.path)
    const [said, reported]: [string[], string[]] = [[], []]
    const client = { complete: async ({ token }: Held) => void reported.push(token) }
    const name = spyOn(crypto, "randomUUID")
    // No file can have so long a name.
    name.mockReturnValue("0-0-0-0-".padEnd(300, "0") as ReturnType<typeof crypto.randomUUID>)
    const heir = new WorkerLeases(folder.path, SERVER, heirOf(said, client))
    name.mockRestore()
    await heir.inherit()
    await heir.inherit()
    expect([reported, heir.isKept]).toEqual([["seven"], false])
    expect(said).toEqual([
      expect.stringContaining("leases cannot be kept on the disk: ENAMETOOLONG"),
      "queue item 7: completed, as its last worker could not report",
    ])
    heir.close()
    expect(readdirSync(leasesIn(folder.path))).toEqual([])
  })

  test.skipIf(process.getuid?.() !== 0)("or one that is read-only is found; only root can try", () => {
    using folder = temporaryFolder()
    const { path } = folder
    leaveCompleted(path)
    const readOnly = `mount --bind ${path} ${path} && mount -o remount,bind,ro ${path} && exec "$@"`
    const script = `console.log(new (require("./src/runner/lease-file.ts").LeaseFile)("${leasesIn(path)}", "${SERVER}").adopt())`
    const heir = Bun.spawnSync(["unshare", "-m", "sh", "-c", readOnly, "sh", "bun", "-e", script])
    expect(heir.stdout.toString()).toContain('token: "seven"')
  })
})

describe("leases whose folder", () => {
  const seven = { id: 7, token: "seven", attempt: 1 }
  const eight = { id: 8, token: "eight", attempt: 1 }

  test("cannot be made when the worker starts are written once it can", async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, "state")
    await Bun.write(path, "a file in its place")
    const kept = new WorkerLeases(path, SERVER, heirOf([]))
    kept.hold(seven)
    expect(kept.isKept).toBe(false)
    rmSync(path)
    await kept.inherit()
    expect(kept.isKept).toBe(true)
    kept.close()
    expect(leftIn(path)).toEqual([seven])
  })

  test.each([true, false])("is removed are written again, with a change first: %p", async (isChanged) => {
    using folder = temporaryFolder()
    const path = join(folder.path, "state")
    const kept = new WorkerLeases(path, SERVER, heirOf([]))
    kept.hold(seven)
    rmSync(path, { recursive: true })
    if (isChanged) kept.hold(eight)
    else await kept.inherit()
    expect(kept.isKept).toBe(true)
    // While this process lives, nobody else takes them over.
    expect(leftIn(path)).toEqual([])
    kept.close()
    expect(leftIn(path)).toEqual(isChanged ? [seven, eight] : [seven])
  })
})

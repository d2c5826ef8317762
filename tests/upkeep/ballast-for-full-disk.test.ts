import { expect, test } from "bun:test"
import { readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { freeReserved, isEmptied, reserve } from "../../src/machine/machine.ts"
import { sizeOf } from "../../src/store/sqlite/database-path.ts"
import { Ballast } from "../../src/upkeep/ballast-for-full-disk.ts"
import { fill } from "../disk.ts"
import { PROGRAM, start, temporaryFolder } from "../server.ts"

const MIB = 1024 * 1024

test("the file is made where there is room, let go when there is none, and put back later", async () => {
  const disk = { free: 100 * MIB, isRefused: false, isThere: false, isEmptied: false }
  const told: string[] = []
  const ballast = new Ballast({
    freeBytes: () => disk.free,
    isRefused: () => disk.isRefused,
    isThere: () => disk.isThere,
    isEmptied: () => disk.isEmptied,
    load: async () => {
      told.push("load")
      disk.isThere = true
    },
    drop: () => {
      told.push("drop")
      disk.isThere = false
    },
    checkpoint: async () => void told.push("checkpoint"),
    onFull: (isFull) => told.push(isFull ? "full" : "room"),
    onError: (error) => {
      throw error
    },
  })
  const round = async (change: Partial<typeof disk>): Promise<string[]> => {
    Object.assign(disk, change)
    told.length = 0
    await ballast.round()
    return [...told]
  }
  expect(await round({ free: 3 * MIB })).toEqual([])
  expect(await round({ free: 100 * MIB })).toEqual(["load"])
  expect(await round({ free: 90 * MIB })).toEqual([])
  expect(await round({ free: 2 * MIB })).toEqual([])
  expect(await round({ free: MIB - 1 })).toEqual(["full", "drop", "checkpoint"])
  // The space that was freed is not for items.
  expect(await round({ free: 9 * MIB })).toEqual(["drop", "checkpoint"])
  expect(await round({ free: 16 * MIB })).toEqual(["load", "room"])
  // A quota does not belong to the disk.
  expect(await round({ free: 10 * MIB, isRefused: true })).toEqual(["full", "drop", "checkpoint"])
})

test("the room that was freed for results is kept for them by the next server", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "ballast")
  const told: string[] = []
  let free = 0
  const server = (): Ballast =>
    new Ballast({
      ...{ freeBytes: () => free, isRefused: () => false, isThere: () => sizeOf(file) === 2 * MIB },
      ...{
        isEmptied: () => isEmptied(file),
        load: () => reserve(file, 2 * MIB),
        drop: () => freeReserved(file),
      },
      checkpoint: async () => undefined,
      onFull: (isFull) => told.push(isFull ? "full" : "room"),
      onError: (error) => {
        throw error
      },
    })
  free = 100 * MIB
  const killed = server()
  for (free of [100 * MIB, MIB - 1]) await killed.round()
  free = 8 * MIB
  const next = server()
  // The next server takes no item, also before its first round.
  expect(told).toEqual(["full", "full"])
  for (free of [8 * MIB, 100 * MIB]) await next.round()
  expect(told).toEqual(["full", "full", "room"])
  expect(sizeOf(file)).toBe(2 * MIB)
  free = MIB - 1
  await next.round()
  // Enough never becomes free, so the file is deleted before the next start.
  rmSync(file)
  free = 8 * MIB
  const last = server()
  await last.round()
  expect(told.slice(3)).toEqual(["full"])
})

test("what a link leads to that stands in the place of the file is left alone", () => {
  using folder = temporaryFolder()
  const [file, other] = [join(folder.path, "ballast"), join(folder.path, "other")]
  writeFileSync(other, "text")
  symlinkSync(other, file)
  freeReserved(file)
  expect(readdirSync(folder.path)).toEqual(["other"])
  expect(readFileSync(other, "utf8")).toBe("text")
  freeReserved(file)
  expect(isEmptied(file)).toBe(false)
})

test.skipIf(process.getuid?.() !== 0)(
  "on a disk that is full adding and reporting are refused, and every render comes to its verdict; only root can try",
  async () => {
    using folder = temporaryFolder()
    const script = `mount -t tmpfs -o size=40m tmpfs ${folder.path} && exec ${PROGRAM.join(" ")} "$@"`
    await using server = await start({
      program: ["unshare", "-m", "sh", "-c", script, "sh"],
      database: join(folder.path, "queue.db"),
    })
    // Only the server sees that disk.
    const at = (name: string): string => `/proc/${server.child.pid}/root${join(folder.path, name)}`
    const leases: { id: number; token: string }[] = []
    for (let i = 0; i < 40; i += 1) {
      await server.add()
      const claim = await server.api("POST", "/queue/claim", { worker: `w${i}`, lease: 600 })
      const { item, lease }: { item: { id: number }; lease: { token: string } } = await claim.json()
      leases.push({ id: item.id, token: lease.token })
    }
    const post = async (index: number, verb: string, body: object = {}): Promise<number> => {
      const { id, token } = leases[index] ?? { id: 0, token: "" }
      return (await server.api("POST", `/queue/${id}/${verb}`, body, { lease: token })).status
    }
    const ballast = (): number => statSync(at("queue.db.ballast"), { throwIfNoEntry: false })?.size ?? 0
    while (ballast() < 8 * MIB) await Bun.sleep(20)
    fill(at("filler"))
    while (ballast() > 0) await Bun.sleep(20)
    const message = "x".repeat(16_000)
    // Also the space that is left on the disk between two checks.
    while ((await post(0, "progress", { progress: 5, message })) !== 503);
    const added = await server.api("POST", "/queue", { song_id: 1 })
    expect([added.status, await added.json()]).toEqual([
      503,
      expect.objectContaining({ error: expect.stringContaining("disk of the database is full") }),
    ])
    const verdicts: number[] = []
    for (const [index] of leases.entries()) {
      verdicts.push(await post(index, "heartbeat"))
      if (index % 3 === 0) verdicts.push(await post(index, "complete", { message }))
      else if (index % 3 === 1) verdicts.push(await post(index, "fail", { error_message: message }))
      else verdicts.push(await post(index, "release"))
    }
    expect(verdicts).toEqual(verdicts.map(() => 200))
    const health: { reasons: string[] } = await (await fetch(`${server.url}/health`)).json()
    expect(health.reasons).toContain("disk_full")
    rmSync(at("filler"))
    while ((await server.api("POST", "/queue", { song_id: 1 })).status !== 201) await Bun.sleep(20)
    expect(ballast()).toBe(8 * MIB)
    await server.end()
  },
  180_000,
)

import { expect, setDefaultTimeout, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"

import { fill } from "../disk.ts"
import { PROVE } from "../proof.ts"
import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"

// Each test waits for leases to run out, and the machine may be busy.
setDefaultTimeout(180_000)

const LEASE_S = 3
const WORKERS = 10

interface Lease {
  readonly id: number
  readonly token: string
}

/** Adds items, and claims each for its own worker. */
async function claimed(server: TestServer): Promise<Lease[]> {
  const leases: Lease[] = []
  for (let i = 0; i < WORKERS; i += 1) {
    await server.add()
    const answer = await server.api("POST", "/queue/claim", { worker: `box${i}`, lease: LEASE_S })
    const { item, lease }: { item: { id: number }; lease: { token: string } } = await answer.json()
    leases.push({ id: item.id, token: lease.token })
  }
  return leases
}

/** The answer of `/health/ready`: its status, and the names and details of the reasons. */
async function readiness({ url }: TestServer): Promise<[status: number, reasons: string[]]> {
  const answer = await fetch(`${url}/health/ready`)
  const { reasons }: { reasons: { reason: string; detail: string }[] } = await answer.json()
  return [answer.status, reasons.map(({ reason, detail }) => `${reason}: ${detail}`)]
}

/** Renews every lease; returns the statuses. */
const renewed = (server: TestServer, leases: readonly Lease[]): Promise<number[]> =>
  Promise.all(
    leases.map(async ({ id, token }) => {
      const answer = await server.api("POST", `/queue/${id}/heartbeat`, undefined, { lease: token })
      await answer.arrayBuffer()
      return answer.status
    }),
  )

const all = (status: number): number[] => Array.from({ length: WORKERS }, () => status)

/** Resolves when a silent worker has lost its item, as it must on a server without load. */
async function takenBack(server: TestServer, { id }: Lease): Promise<number> {
  const fromMs = performance.now()
  while ((await server.item(id)).status !== "retrying") await Bun.sleep(50)
  return performance.now() - fromMs
}

test("a server that was suspended for longer than the leases takes no item from a worker", async () => {
  await using server = await start()
  const leases = await claimed(server)
  expect(await renewed(server, leases)).toEqual(all(200))
  server.child.kill("SIGSTOP")
  await Bun.sleep(2 * LEASE_S * 1000 + 100)
  server.child.kill("SIGCONT")
  // The timer has run once the reason is there.
  let ready = await readiness(server)
  while (ready[0] === 200) ready = await readiness(server)
  expect(ready).toEqual([503, [expect.stringMatching(/^event_loop_lag: \d+ ms$/)]])
  expect(await renewed(server, leases)).toEqual(all(200))
  const [first = { id: 0, token: "" }] = leases
  expect(await takenBack(server, first)).toBeLessThan((LEASE_S + 2) * 1000)
})

// A supervisor that restarted it now would cut all streams and held answers of a server that works again.
test.skipIf(!PROVE)(
  "a server that goes on after more than a minute of standing still is live; only the proof takes so long",
  async () => {
    await using server = await start()
    const live = async () => (await fetch(`${server.url}/health/live`, { keepalive: false })).status
    server.child.kill("SIGSTOP")
    const waiting = Array.from({ length: 30 }, live)
    await Bun.sleep(63_000)
    server.child.kill("SIGCONT")
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([200]))
    expect(await live()).toBe(200)
    while ((await readiness(server))[0] === 200);
  },
  180_000,
)

test.skipIf(process.getuid?.() !== 0)(
  "a disk that is full for longer than the leases takes no item from a worker; only root can try",
  async () => {
    using folder = temporaryFolder()
    const script = `mount -t tmpfs -o size=6m tmpfs ${folder.path} && exec ${PROGRAM.join(" ")} "$@"`
    await using server = await start({
      program: ["unshare", "-m", "sh", "-c", script, "sh"],
      database: join(folder.path, "queue.db"),
    })
    const leases = await claimed(server)
    // Only the server sees that disk.
    const filler = `/proc/${server.child.pid}/root${join(folder.path, "filler")}`
    let refused = 0
    for (const untilMs = performance.now() + 2 * LEASE_S * 1000; performance.now() < untilMs;) {
      // The server frees the space that it can, for results.
      fill(filler)
      const statuses = await renewed(server, leases)
      refused += statuses.filter((status) => status === 503).length
      expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
      await Bun.sleep(300)
    }
    expect(refused).toBeGreaterThan(0)
    const [ready, reasons] = await readiness(server)
    expect(ready).toBe(503)
    expect(reasons).toContain("disk_full: ")
    rmSync(filler)
    await Bun.sleep(1500)
    expect(await renewed(server, leases)).toEqual(all(200))
    const [first = { id: 0, token: "" }] = leases
    expect(await takenBack(server, first)).toBeLessThan((LEASE_S + 2) * 1000)
    // That a disk is nearly full, as one of 6 MiB always is, is first looked at 11 s after the start.
    let [, low] = await readiness(server)
    while (!low.some((reason) => /^disk_low: \d MiB free$/.test(reason))) [, low] = await readiness(server)
  },
)

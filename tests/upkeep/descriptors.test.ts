import { expect, test } from "bun:test"
import { closeSync, openSync, readFileSync, statSync } from "node:fs"
import { connect, type Socket } from "node:net"

import { Reasons } from "../../src/degraded-reasons.ts"
import { openDescriptors, SpareDescriptors } from "../../src/machine/machine.ts"
import { Descriptors } from "../../src/upkeep/descriptors.ts"
import { descriptors, figure, held } from "../proof.ts"
import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import { SocketReader } from "../sockets.ts"

/**
 * Checks ten times a second while few descriptors are left, after a first check with many. Returns what is
 * left each time, and whether the door is open then.
 */
async function looked(left: readonly ("many" | "few" | "none")[]) {
  const reasons = new Reasons()
  const [said, doors, noted]: [number[], boolean[], number[]] = [[], [], []]
  let [nowMs, at, isOpen, released] = [0, 0, true, 0]
  const looking = new Descriptors(reasons, {
    spare: { left: () => left[at++ - 1] ?? "many", release: () => void (released += 1) },
    door: () => ({ open: () => void (isOpen = true), close: () => void (isOpen = false) }),
    closeIdle: () => 3,
    nowMs: () => nowMs,
    async sleep(ms) {
      nowMs += ms
      doors.push(isOpen)
      noted.push(reasons.current.length)
    },
    onScarce: (closed) => said.push(closed),
    onError: (error) => console.error(error),
  })
  await looking.start()
  await looking.round()
  await looking.stop()
  return { said, doors, noted, isOpen, released, reasons: reasons.current, areFew: looking.areFew }
}

/** For one second after that it is checked as often. */
const after = <T>(value: T): T[] => Array.from({ length: 9 }, () => value)

test("a lack of descriptors is logged once a minute, while idle connections are closed", async () => {
  const { said, noted, reasons, areFew } = await looked(Array<"few">(601).fill("few"))
  expect(said).toEqual([3, 1800])
  expect(noted).toEqual([...Array.from({ length: 601 }, () => 1), ...after(0)])
  expect([reasons, areFew]).toEqual([[], false])
})

test("when no descriptor is left new connections wait, and once a second some get the reserve", async () => {
  const none = Array<"none">(9).fill("none")
  const { doors, isOpen, released } = await looked([
    "few",
    ...none,
    "none",
    "none",
    "none",
    ...none,
    "few",
    "many",
  ])
  const closed = none.map(() => false)
  expect(doors).toEqual([true, ...closed, false, true, false, ...closed, true, ...after(true)])
  // The first read was to find the door.
  expect([isOpen, released]).toEqual([true, 2])
})

test("as soon as there are many descriptors, all connections are let in", async () => {
  const { doors, isOpen, released } = await looked(["none", "few", "many"])
  expect([doors, isOpen, released]).toEqual([[false, false, ...after(true)], true, 1])
})

test("a look at what is left takes the reserve and no more, however often, and the reserve can be given away", () => {
  const spare = new SpareDescriptors(1_000_000)
  const before = openDescriptors()
  for (let look = 0; look < 5; look += 1) expect(spare.left()).toBe("many")
  expect(openDescriptors()).toBe(before + 8)
  spare.release()
  expect(openDescriptors()).toBe(before)
  expect(new SpareDescriptors(1).left()).toBe("few")
})

/** Sends a request, and keeps the connection for the next request. */
async function keepOpen(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1")
  socket.on("error", () => undefined)
  socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
  await new Promise((resolve) => {
    socket.once("data", resolve)
    socket.once("close", resolve)
    setTimeout(resolve, 2000)
  })
  return socket
}

test.each([12, 20])(
  "a server that may open only %d files says so and ends with 1 before it listens",
  (most) => {
    using folder = temporaryFolder()
    const limited = ["sh", "-c", `ulimit -n ${most}; exec "$@"`, "sh", ...PROGRAM]
    const command = [...limited, "serve", "--port", "0", "--database", `${folder.path}/queue.db`]
    const { exitCode, stdout, stderr } = Bun.spawnSync(command)
    expect([exitCode, `${stdout}`]).toEqual([1, ""])
    expect(`${stderr}`).toContain(
      `this process may have at most ${most} files open, too few to serve anybody; raise`,
    )
  },
)

test("connections that only wait for a next request keep no other client out", async () => {
  const program = ["sh", "-c", `ulimit -n 64; exec ${PROGRAM.join(" ")} "$@"`, "sh"]
  await using server = await start({ program })
  const port = Number(new URL(server.url).port)
  const sockets = await Promise.all(Array.from({ length: 100 }, () => keepOpen(port)))
  const answer = await fetch(`${server.url}/health`, { signal: AbortSignal.timeout(8000) })
  expect(answer.status).toBe(200)
  for (const socket of sockets) socket.destroy()
  const lines = server.log.split("\n").filter((line) => line.includes("out of file descriptors"))
  expect(lines).toHaveLength(1)
}, 180_000)

/** For how many milliseconds the server's process has used a core. */
function busyMs({ child: { pid } }: TestServer): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
  // In ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

test("clients that only connect, more than there are descriptors, cost no time, and leave as they came", async () => {
  const program = ["sh", "-c", `ulimit -n 64; exec ${PROGRAM.join(" ")} "$@"`, "sh"]
  await using server = await start({ program })
  const port = Number(new URL(server.url).port)
  const sockets = Array.from({ length: 120 }, () => connect(port, "127.0.0.1").on("error", () => undefined))
  while (!server.log.includes("out of file descriptors")) await Bun.sleep(50)
  // The round that has reported this has closed the door.
  const [before, startedMs] = [busyMs(server), performance.now()]
  await Bun.sleep(4000)
  const share = (busyMs(server) - before) / (performance.now() - startedMs)
  figure(`${sockets.length} silent clients on 64 descriptors: ${(share * 100).toFixed(1)} % of a core`)
  // If it were read again and again, this would take most of the time.
  expect(share).toBeLessThan(0.25)
  for (const socket of sockets) socket.destroy()
  while (!(await isOk(server)));
}, 180_000)

test("of many more streams than there is room for, each is answered, and soon", async () => {
  const program = ["sh", "-c", `ulimit -n 64; exec ${PROGRAM.join(" ")} "$@"`, "sh"]
  await using server = await start({ program })
  const port = Number(new URL(server.url).port)
  const first = Promise.withResolvers<void>()
  const answers: string[] = []
  const sockets = Array.from({ length: 300 }, () =>
    connect(port, "127.0.0.1")
      .on("error", () => undefined)
      .on("data", (bytes) => {
        if (bytes.includes("HTTP/1.1")) answers.push(bytes.toString().slice(9, 12))
        if (answers.length === sockets.length) first.resolve()
      }),
  )
  const startedMs = performance.now()
  for (const socket of sockets)
    socket.write("GET /api/v1/progress/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
  await first.promise
  figure(
    `${answers.length} streams on 64 descriptors: all answered in ${Math.round(performance.now() - startedMs)} ms`,
  )
  expect(performance.now() - startedMs).toBeLessThan(8000)
  expect(new Set(answers)).toEqual(new Set(["200", "503"]))
  for (const socket of sockets) socket.destroy()
}, 180_000)

const isOk = async ({ url }: TestServer): Promise<boolean> =>
  (await fetch(`${url}/api/v1/queue`, { signal: AbortSignal.timeout(8000) }).catch(() => undefined))
    ?.status === 200

test("with few descriptors left new requests are refused and their connections closed, but for health and leases", async () => {
  const program = ["sh", "-c", `ulimit -n 64; exec ${PROGRAM.join(" ")} "$@"`, "sh"]
  await using server = await start({ program, args: ["--max-streams", "0"] })
  const id = await server.add()
  const { lease }: { lease: { token: string } } = await (
    await server.api("POST", "/queue/claim", { worker: "w", id })
  ).json()
  const once = { connection: "close" }
  const streams: SocketReader[] = []
  const refused = async (): Promise<Response | undefined> => {
    // At this moment the connection of the claim may be closed because it is idle.
    const answer = await server.api("GET", "/queue", undefined, once).catch(() => undefined)
    return answer?.status === 503 ? answer : undefined
  }
  let answer = await refused()
  for (; !answer; answer = await refused()) {
    if (descriptors(server) < 60) streams.push(await SocketReader.open(server.url, "/progress/stream"))
  }
  expect([answer.headers.get("connection"), answer.headers.get("retry-after")]).toEqual(["close", "5"])
  expect(await answer.json()).toMatchObject({
    code: "unavailable",
    error: expect.stringContaining("descriptors"),
  })
  expect(await (await fetch(`${server.url}/health`, { headers: once })).json()).toMatchObject({
    reasons: ["descriptors_exhausted"],
  })
  const report = { progress: 50 }
  const reported = await server.api("POST", `/queue/${id}/progress`, report, { ...once, lease: lease.token })
  expect(reported.status).toBe(200)
  for (const stream of streams) stream.leave()
  while (!(await isOk(server)));
}, 180_000)

/** Reads the beginning of an answer that stays open, and leaves. */
async function peek(url: string, headers: Record<string, string> = {}): Promise<void> {
  const left = new AbortController()
  const answer = await fetch(url, { headers, signal: left.signal })
  await answer.body?.getReader().read()
  left.abort()
}

/** For so long, and ten times at least, reports on an item and looks at it in each way that stays open. */
async function use(server: TestServer, id: number, ms: number): Promise<void> {
  const streams = `${server.url}/api/v1/progress/stream`
  const startedMs = performance.now()
  for (let times = 0; times < 10 || performance.now() - startedMs < ms; times += 1) {
    await server.put(id, { status: "processing", message: `${times}` })
    await peek(`${streams}?format=${["sse", "ndjson", "text"][times % 3]}`)
    await peek(`${streams}/${id}?last_event_id=1&format=sse`)
    await peek(`${server.url}/api/v1/queue/${id}/output?follow=true&format=sse`)
    await peek(server.url, { "user-agent": "curl/8" })
  }
}

test.skipIf(process.platform !== "linux")(
  "a server that is used for some seconds holds no more descriptors of any kind afterwards than before",
  async () => {
    await using server = await start()
    const id = await server.add()
    await use(server, id, 0)
    await server.connectedClients(0)
    const before = held(server)
    await use(server, id, 2500)
    // The client of this test may keep a connection or two open for later.
    const most = (target: string): number => (before.get(target) ?? 0) + (target === "socket:" ? 4 : 0)
    const more = (): string[] =>
      [...held(server)].flatMap(([target, count]) => (count > most(target) ? `${target} ${count}` : []))
    // Some work of the server has a file open for a moment, and a connection ends a little after its client has left.
    for (const startedMs = performance.now(); more().length > 0 && performance.now() - startedMs < 20_000;)
      await Bun.sleep(50)
    expect(more()).toEqual([])
  },
  180_000,
)

// Linux counts them since 6.2.
test.skipIf(!statSync("/proc/self/fd", { throwIfNoEntry: false })?.size)(
  "descriptors are few although one with a low number is free again",
  () => {
    const before = openDescriptors()
    const spare = new SpareDescriptors((before + 60) / 0.9)
    expect(spare.left()).toBe("many")
    const [low = 0, ...taken] = Array.from({ length: 100 }, () => openSync("/dev/null", "r"))
    closeSync(low)
    const left = spare.left()
    for (const descriptor of taken) closeSync(descriptor)
    spare.release()
    expect(left).toBe("few")
  },
)

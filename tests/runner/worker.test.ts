import { expect, setSystemTime, spyOn, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { type Client, ServerError } from "../../src/client/client.ts"
import { blank } from "../../src/item/blank-item.ts"
import { Attempt } from "../../src/runner/attempt.ts"
import { leasesIn } from "../../src/runner/lease-file.ts"
import { planned } from "../../src/runner/progress-arguments.ts"
import { Worker } from "../../src/runner/worker.ts"
import type { ClaimRequest } from "../../src/wire/requests.ts"
import { temporaryFolder } from "../server.ts"

/** A worker whose claims get these answers. */
function claimingBy(claim: (signal: AbortSignal) => Promise<never>): Worker {
  return workerOf({ claim: (_request: object, signal: AbortSignal) => claim(signal) })
}

/** A worker with this client, which has the methods that the test needs. */
function workerOf(client: unknown, concurrency = 1): Worker {
  return new Worker({
    client: client as Client,
    ...{ server: "http://127.0.0.1:1", worker: "box", version: "0", leaseS: 60, reportWithinMs: 0 },
    ...{ plan: planned(["true"]), tags: [], kind: undefined, steps: [], concurrency },
    stateFolder: undefined,
  })
}

const untilOver = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

/**
 * A worker whose claims are all refused with this status and code, and a promise that resolves at the first
 * one.
 */
function refused(
  status: number,
  code = "of the test",
): { readonly worker: Worker; readonly asked: Promise<void> } {
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  const worker = claimingBy(() => {
    resolve()
    return Promise.reject(new ServerError(status, `refused with ${status}`, { code }))
  })
  return { worker, asked }
}

test.each([
  [401, undefined],
  [403, undefined],
  [421, undefined],
  [429, undefined],
  [503, undefined],
  // Without one of our codes, the answer comes from a proxy while the server is away.
  [302, ""],
  [404, ""],
  [409, ""],
])(
  "a worker that is answered %d, with the code %p, waits until it is let in or stopped",
  async (status, code) => {
    const { worker, asked } = refused(status, code)
    let isOver = false
    const running = worker.run().finally(() => (isOver = true))
    await asked
    await new Promise(setImmediate)
    expect(isOver).toBe(false)
    worker.signal()
    await running
  },
)

test.each([400, 404, 409])("a worker that is answered %d ends with the reason", async (status) => {
  await expect(refused(status).worker.run()).rejects.toThrow(`refused with ${status}`)
})

test("a worker that is stopped while its claim waits ends without a fault", async () => {
  const worker = claimingBy(untilOver)
  const running = worker.run()
  await new Promise(setImmediate)
  worker.signal()
  await running
})

/**
 * A worker with one item, whose command runs this script, and a promise that resolves when the script has
 * printed. The claim is answered when `claimed` resolves.
 */
function rendering(
  script: string,
  claimed = Promise.resolve(),
  more: {
    readonly complete?: () => Promise<object>
    readonly heartbeat?: () => Promise<object>
    readonly stateFolder?: string
  } = {},
): {
  readonly worker: Worker
  readonly printed: Promise<void>
  readonly ended: string[]
} {
  const { promise: printed, resolve } = Promise.withResolvers<void>()
  const item = { id: 7, ...blank(1, "2026-01-02T03:04:05.678Z"), status: "processing" }
  const ended: string[] = []
  let claims = 0
  const end = (verb: string) => async (): Promise<object> => {
    ended.push(verb)
    return { directive: "continue", item }
  }
  const client: unknown = {
    claim: (_request: object, signal: AbortSignal) => {
      claims += 1
      return claims === 1 ? claimed.then(() => ({ item, lease: { token: "t" } })) : untilOver(signal)
    },
    heartbeat: (_held: object, waitS: number | undefined, signal: AbortSignal) =>
      waitS === undefined && more.heartbeat ? more.heartbeat() : untilOver(signal),
    report: async () => ({ directive: "continue", item }),
    print: async (_held: object, bytes: Uint8Array) => {
      resolve()
      return { attempt: 1, end: bytes.length }
    },
    ...{ complete: more.complete ?? end("complete"), fail: end("fail"), release: end("release") },
  }
  const worker = new Worker({
    client: client as Client,
    ...{ server: "http://127.0.0.1:1", worker: "box", version: "0", leaseS: 60, reportWithinMs: 5000 },
    ...{ plan: planned(["sh", "-c", script]), tags: [], kind: undefined, steps: [], concurrency: 1 },
    stateFolder: more.stateFolder,
  })
  return { worker, printed, ended }
}

test.each([
  ["lease_lost", [], []],
  ["", ["ran"], ["complete"]],
])(
  "a claim whose answer is read after the lease starts nothing before it is renewed: %p",
  async (code, ran, verbs) => {
    using folder = temporaryFolder()
    const claimed = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const answer = { directive: "continue", item: { id: 7 } }
    let beats = 0
    const { worker, ended } = rendering(`echo > ${join(folder.path, "ran")}`, claimed.promise, {
      heartbeat: async () => {
        beats += 1
        if (beats === 1) throw new ServerError(503, "away", { code: "unavailable" })
        asked.resolve()
        if (code === "") return answer
        throw new ServerError(409, "the lease has expired", { code })
      },
    })
    const running = worker.run()
    await new Promise(setImmediate)
    // As while the machine is suspended.
    setSystemTime(Date.now() + 60_000)
    claimed.resolve()
    await asked.promise
    setSystemTime()
    while (ended.length < verbs.length) await Bun.sleep(1)
    worker.signal()
    await running
    expect([readdirSync(folder.path), ended]).toEqual([ran, verbs])
  },
  180_000,
)

test("a command that cannot be run here gives its item back, and ends the worker with the reason", async () => {
  const { worker, ended } = rendering("exit 127")
  await expect(worker.run()).rejects.toThrow("cannot be run here (code 127)")
  expect(ended).toEqual(["release"])
}, 180_000)

test.each([
  ["EAGAIN", "goes on"],
  ["ENOENT", "ends"],
])(
  "a command that cannot be started (%s) gives its item back, and the worker %s",
  async (code, then) => {
    const spawn = Bun.spawn
    const spied = spyOn(Bun, "spawn").mockImplementation((command: unknown, ...more: unknown[]) => {
      if (Array.isArray(command) && command.includes("never started")) {
        throw Object.assign(new Error(`${code}: no process can be started`), { code })
      }
      return Reflect.apply(spawn, Bun, [command, ...more])
    })
    try {
      const { worker, ended } = rendering("never started")
      const over = worker.run().catch(() => "ends")
      while (ended.length === 0) await new Promise(setImmediate)
      const first = await Promise.race([over, Bun.sleep(500).then(() => "goes on")])
      worker.signal()
      await over
      expect(first).toBe(then)
      expect(ended).toEqual(["release"])
    } finally {
      spied.mockRestore()
    }
  },
  180_000,
)

test("a worker that is asked to return its items exits with 0, whatever code its command ends with", async () => {
  const { worker, printed, ended } = rendering(
    "trap 'exit 127' TERM; echo ready; while :; do sleep 0.02; done",
  )
  const running = worker.run()
  await printed
  worker.signal()
  worker.signal()
  await running
  expect(ended).toEqual(["release"])
  const other = rendering("trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done")
  const over = other.worker.run()
  await other.printed
  other.worker.signal()
  other.worker.signal()
  await over
  expect(other.ended).toEqual(["release"])
}, 180_000)

test("a command gets its item on standard input", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "item")
  const { worker } = rendering(`cat > ${file}`)
  const running = worker.run()
  const read = (): string => (existsSync(file) ? readFileSync(file, "utf8") : "")
  while (!read().endsWith("\n")) await Bun.sleep(5)
  worker.signal()
  await running
  expect(JSON.parse(read())).toMatchObject({ id: 7, status: "processing" })
}, 180_000)

test("a refusal that has nothing to do with the version is not asked for again in older words", async () => {
  let claims = 0
  const worker = workerOf({
    claim: async () => {
      claims += 1
      throw new ServerError(400, "no", { code: "malformed_request" })
    },
  })
  await expect(worker.run()).rejects.toThrow("no")
  expect(claims).toBe(1)
})

test("work says that the server is back once it has answered", async () => {
  const said: string[] = []
  const stderr = spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0)
  try {
    const [answered, asked] = [Promise.withResolvers<void>(), [] as number[]]
    const worker = claimingBy((signal) => {
      asked.push(asked.length)
      if (asked.length < 3) return Promise.reject(new ServerError(503, "busy", { code: "unavailable" }))
      if (asked.length < 5) return Promise.resolve(null as never)
      answered.resolve()
      return untilOver(signal)
    })
    const running = worker.run()
    await answered.promise
    worker.signal()
    await running
    expect(said.map((text) => text.trim())).toEqual([
      "track-studio: busy; waiting for the server",
      "track-studio: the server is back",
    ])
  } finally {
    stderr.mockRestore()
  }
}, 180_000)

test("a worker says of a result that the server no longer accepts that it does not", async () => {
  const said = Promise.withResolvers<string>()
  using _ = spyOn(process.stderr, "write").mockImplementation((text) => {
    if (String(text).includes("completed")) said.resolve(String(text))
    return true
  })
  const refusing = async (): Promise<never> => Promise.reject(new ServerError(409, "", { code: "gone" }))
  const { worker } = rendering("exit 0", undefined, { complete: refusing })
  const running = worker.run()
  expect(await said.promise).toEndWith("7: completed, but the server no longer accepts the result\n")
  worker.signal()
  await running
}, 180_000)

test("an item that is given to a worker which is being stopped goes back before its command starts", async () => {
  const { promise: claimed, resolve: answer } = Promise.withResolvers<void>()
  const { worker, ended } = rendering("exit 0", claimed)
  const running = worker.run()
  await new Promise(setImmediate)
  worker.signal()
  answer()
  await running
  expect(ended).toEqual(["release"])
}, 180_000)

test("a result that could not be reported is kept for the next worker", async () => {
  using folder = temporaryFolder()
  const { promise: tried, resolve } = Promise.withResolvers<void>()
  const complete = (): Promise<object> => {
    resolve()
    return Promise.reject(new ServerError(0, "no answer", { code: "unreachable" }))
  }
  const said: string[] = []
  using _stderr = spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0)
  const { worker } = rendering("exit 0", undefined, { complete, stateFolder: folder.path })
  const running = worker.run()
  await tried
  worker.signal()
  worker.signal()
  await running
  expect(said.join("")).toContain("the next worker of this user reports it")
  // The guard of the worker, which is this process, still has the file locked.
  const leases = leasesIn(folder.path)
  const [file = ""] = readdirSync(leases).filter((name) => name.endsWith(".json"))
  const kept: unknown = JSON.parse(readFileSync(join(leases, file), "utf8"))
  const queued_at = "2026-01-02T03:04:05.678Z"
  expect(kept).toMatchObject({ leases: [{ id: 7, token: "t", queued_at, verdict: { end: "complete" } }] })
}, 180_000)

test("a worker that is drained while it waits ends, and makes no further claim", async () => {
  let claims = 0
  const worker = claimingBy(async () => {
    claims += 1
    return "drain" as never
  })
  await worker.run()
  expect(claims).toBe(1)
})

test("an older server is told once what it does not know, and then only what it does", async () => {
  const asked: object[] = []
  const over = Promise.withResolvers<void>()
  const client: unknown = {
    claim: async (request: object) => {
      asked.push(request)
      if ("version" in request) throw new ServerError(422, "unknown key", { code: "invalid" })
      if (asked.length === 3) over.resolve()
      return null
    },
  }
  const worker = workerOf(client)
  const running = worker.run()
  await over.promise
  worker.signal()
  await running
  expect(asked.map((request) => "version" in request)).toEqual([true, false, false])
})

test("a worker that is to stop tries for a few seconds to report what the next worker can", async () => {
  using folder = temporaryFolder()
  using shortened = spyOn(Attempt.prototype, "reportWithin")
  const said: string[] = []
  using _stderr = spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0)
  const script = "echo ready; sleep 0.2"
  const { worker, printed, ended } = rendering(script, undefined, { stateFolder: folder.path })
  const running = worker.run()
  await printed
  worker.signal()
  await running
  expect(ended).toEqual(["complete"])
  expect(shortened.mock.calls).toEqual([[5000]])
  expect(said.join("")).toContain("finishing 1 item, then stopping")
}, 180_000)

test("a worker whose item is over has nothing to finish when it is to stop", async () => {
  const said: string[] = []
  const over = Promise.withResolvers<void>()
  const stderr = spyOn(process.stderr, "write").mockImplementation((text) => {
    said.push(String(text))
    if (String(text).includes("completed")) over.resolve()
    return true
  })
  try {
    const { worker } = rendering("exit 0")
    const running = worker.run()
    await over.promise
    worker.signal()
    await running
    expect(said.join("")).not.toContain("finishing")
  } finally {
    stderr.mockRestore()
  }
}, 180_000)

test("a worker asks for as many items at once as it may render, and has each claim wait", async () => {
  const asked: object[] = []
  const client: unknown = {
    claim: ({ wait, again }: ClaimRequest, signal: AbortSignal) => {
      asked.push({ wait, again })
      return untilOver(signal)
    },
  }
  const worker = workerOf(client, 3)
  const running = worker.run()
  while (asked.length < 3) await new Promise(setImmediate)
  worker.signal()
  await running
  // Once stopped, it asks what these claims got, and takes nothing new.
  const [waiting, again] = [{ wait: 30 }, { again: true }]
  expect(asked).toEqual([waiting, waiting, waiting, again, again, again])
})

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { start, temporaryFolder, type TestServer } from "../server.ts"
import { TestTerminal } from "../terminal.ts"
import { faultsOf, finished, historyOf, itemOf, processesWith, Program, until } from "./programs.ts"

setDefaultTimeout(60_000)

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "worker.sh": ["bash", "examples/worker.sh"],
  "worker.py": ["python3", "examples/worker.py"],
  "worker.ts": ["bun", "examples/worker.ts"],
}

/** A worker that runs a script for each item. */
const working = (server: TestServer, worker: readonly string[], script: string): Program =>
  new Program([...worker, "bash", "-c", script], server.url, { env: { WORKER_NAME: "example" } })

async function stopped(worker: Program): Promise<number> {
  worker.kill("SIGTERM")
  return worker.ends()
}

describe.each(Object.entries(EXAMPLES))("%s", (name, command) => {
  const skipped = Bun.which(command[0] ?? "") === null

  test.skipIf(skipped)("renders items, whatever is in them, and shows how far it is", async () => {
    await using server = await start()
    const ids = [
      await server.add({ song_id: 3, title: 'A "title": {"lease":{"token":"abc"}}\nä' }),
      await server.add({ song_id: 4, metadata: { id: 99, directive: "cancel", lease: { token: "abc" } } }),
    ]
    // It is slow enough for workers that report four times a second.
    await using worker = working(server, command, "for i in 10 40 70; do echo image $i%; sleep 0.3; done")
    for (const id of ids) {
      expect(await finished(server, id)).toMatchObject({ status: "completed", worker: "example", attempt: 1 })
      const history = await historyOf(server, id)
      expect(faultsOf(history)).toEqual([])
      const shares = history.map(({ progress }) => progress)
      // If it is slow, the latest report counts.
      expect(shares).toContain(70)
      expect(new Set(shares).size).toBeGreaterThan(3)
    }
    expect(await stopped(worker)).toBe(0)
    expect((await worker.stdout).toString()).toBe("image 10%\nimage 40%\nimage 70%\n".repeat(2))
  })

  test.skipIf(skipped)(
    "tells its command which item it renders, and nothing that ffmpeg would take for keys",
    async () => {
      await using server = await start()
      const id = await server.add({ song_id: 3, title: "Midnight Boutique" })
      await using worker = working(
        server,
        command,
        'echo "$TRACK_STUDIO_ITEM_ID, song $TRACK_STUDIO_SONG_ID"; cat',
      )
      expect(await finished(server, id)).toMatchObject({ status: "completed" })
      expect(await stopped(worker)).toBe(0)
      expect((await worker.stdout).toString()).toBe(`${id}, song 3\n`)
    },
  )

  test.skipIf(skipped)("tells of a failure, ends what it left running, and goes on", async () => {
    await using server = await start()
    const [bad, good] = [await server.add({ song_id: 3 }), await server.add({ song_id: 4 })]
    const once = join(folder.path, `${name}-once`)
    const mark = `65${process.pid}`
    const failing = `touch ${once}; sleep ${mark} & exit 3`
    await using worker = working(server, command, `[ -e ${once} ] || { ${failing}; }`)
    expect(await finished(server, good)).toMatchObject({ status: "completed" })
    expect(processesWith(`sleep ${mark}`).filter((line) => line.startsWith("sleep"))).toEqual([])
    expect(await itemOf(server, bad)).toMatchObject({
      status: "retrying",
      error_message: "the command ended with code 3",
    })
    expect(await stopped(worker)).toBe(0)
  })

  test.skipIf(skipped)(
    "stops the command of an item that is cancelled, and all that it started",
    async () => {
      await using server = await start()
      const [long, next] = [await server.add({ song_id: 3 }), await server.add({ song_id: 4 })]
      const once = join(folder.path, `${name}-long`)
      const mark = `66${process.pid}`
      const script = `[ -e ${once} ] || { touch ${once}; echo 20%; sleep ${mark}; echo late; }`
      await using worker = working(server, command, script)
      await until(server, long, ({ progress }) => progress === 20)
      const startedMs = performance.now()
      await server.api("POST", `/queue/${long}/cancel`)
      expect(await finished(server, long)).toMatchObject({ outcome: "cancelled" })
      expect(performance.now() - startedMs).toBeLessThan(5000)
      expect(processesWith(`sleep ${mark}`).filter((line) => line.startsWith("sleep"))).toEqual([])
      expect(await finished(server, next)).toMatchObject({ status: "completed" })
      expect(await stopped(worker)).toBe(0)
    },
  )

  test.skipIf(skipped)("finishes its items when it is asked to stop, and takes nothing more", async () => {
    await using server = await start()
    const [first, second] = [await server.add({ song_id: 3 }), await server.add({ song_id: 4 })]
    const go = join(folder.path, `${name}-go`)
    await using worker = working(
      server,
      command,
      `echo 19%; while [ ! -e ${go} ]; do echo 20%; sleep 0.05; done`,
    )
    await until(server, first, ({ progress }) => progress === 20)
    worker.kill("SIGTERM")
    await Bun.write(go, "")
    expect(await worker.ends()).toBe(0)
    expect(await itemOf(server, first)).toMatchObject({ status: "completed" })
    expect(await itemOf(server, second)).toMatchObject({ status: "queued", attempt: 0 })
  })

  test.skipIf(skipped)("ends at once while it waits for an item", async () => {
    await using server = await start()
    const id = await server.add()
    await using worker = working(server, command, "true")
    await finished(server, id)
    await worker.prints("ended with code 0")
    const startedMs = performance.now()
    expect(await stopped(worker)).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(5000)
  })

  test.skipIf(skipped)("outlives a restart of the server", async () => {
    await using server = await start()
    const id = await server.add()
    const go = join(folder.path, `${name}-back`)
    await using worker = working(
      server,
      command,
      `echo 19%; echo 20%; while [ ! -e ${go} ]; do sleep 0.02; done; while [ ! -e ${go}2 ]; do echo 30%; sleep 0.05; done`,
    )
    await until(server, id, ({ progress }) => progress === 20)
    await server.end("SIGKILL")
    await Bun.write(go, "")
    // One was tried when the next is read.
    await worker.prints("30%\n30%")
    const port = new URL(server.url).port
    await using back = await start({ args: ["--port", port], database: server.database })
    await until(back, id, ({ progress }) => progress === 30)
    await Bun.write(`${go}2`, "")
    expect(await finished(back, id)).toMatchObject({ status: "completed", attempt: 1 })
    expect(faultsOf(await historyOf(back, id))).toEqual([])
    const later = await back.add()
    expect(await finished(back, later)).toMatchObject({ status: "completed" })
    expect(await stopped(worker)).toBe(0)
  })
})

/** A server with one item that answers reports of progress as we say, and hears that a worker of it lives. */
const serverOfOne = (progress: () => Response | Promise<Response>, lives: () => void = () => undefined) => {
  let claims = 0
  const item = Response.json({ item: { id: 1, song_id: 3, title: "" }, lease: { token: "ab-12" } })
  return Bun.serve({
    port: 0,
    fetch: ({ url }) => {
      const what = /\w+$/.exec(new URL(url).pathname)?.[0] ?? ""
      if (what === "claim") return (claims += 1) > 1 ? new Promise(() => undefined) : item
      if (what === "progress") return progress()
      if (what === "heartbeat") lives()
      return Bun.sleep(50).then(() => Response.json({ directive: "continue" }))
    },
  })
}

test.each(Object.entries(EXAMPLES).filter(([, [program = ""]]) => Bun.which(program) !== null))(
  "the last percentage is reported by %s though its first report gets no answer, and no other line comes",
  async (name, command) => {
    const go = join(folder.path, `${name}-again`)
    await using server = await start()
    const id = await server.add()
    let reports = 0
    await using way = Bun.serve({
      port: 0,
      idleTimeout: 60,
      fetch: ({ url, method, headers, body }) => {
        const { pathname, search } = new URL(url)
        reports += pathname.endsWith("/progress") ? 1 : 0
        if (reports === 1 && pathname.endsWith("/progress")) return new Response("", { status: 503 })
        if (reports === 2) writeFileSync(go, "")
        return fetch(server.url + pathname + search, { method, headers, body })
      },
    })
    const script = `echo 9%; echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done`
    await using worker = new Program([...command, "bash", "-c", script], way.url.origin)
    expect(await finished(server, id)).toMatchObject({ status: "completed" })
    const history = await historyOf(server, id)
    expect(history.some(({ progress }) => progress === 10)).toBe(true)
    expect(await stopped(worker)).toBe(0)
  },
)

const BASH_WORKER = ["bash", "examples/worker.sh", "bash", "-c"]

test("a report that gets no answer does not hold the command of worker.sh up, and then the latest is reported", async () => {
  const answered = Promise.withResolvers<undefined>()
  const go = join(folder.path, "reported-go")
  let reports = 0
  await using server = serverOfOne(async () => {
    writeFileSync(go, "")
    reports += 1
    await answered.promise
    return Response.json({ directive: "continue" })
  })
  const script = `echo 10%; while [ ! -e ${go} ]; do sleep 0.02; done; for i in {11..90}; do echo $i%; done`
  await using worker = new Program([...BASH_WORKER, script], server.url.origin)
  await worker.prints("90%")
  expect(reports).toBe(1)
  answered.resolve(undefined)
  await worker.prints("ended with code 0")
  // One of them comes before the last lines if these are late.
  expect(reports).toBeWithin(2, 6)
  expect(await stopped(worker)).toBe(0)
})

test("worker.sh reports a command that never stops printing percentages", async () => {
  const go = join(folder.path, "flood-go")
  await using server = serverOfOne(() => {
    writeFileSync(go, "")
    return Response.json({ directive: "continue" })
  })
  const script = `while [ ! -e ${go} ]; do echo 10%; done`
  await using worker = new Program([...BASH_WORKER, script], server.url.origin)
  await worker.prints("ended with code 0")
  expect(await stopped(worker)).toBe(0)
})

test("the command of worker.sh ends when worker.sh was killed", async () => {
  const alive = Promise.withResolvers<undefined>()
  await using server = serverOfOne(
    () => Response.json({ directive: "continue" }),
    () => alive.resolve(undefined),
  )
  const mark = `67${process.pid}`
  await using worker = new Program([...BASH_WORKER, `sleep ${mark}; true`], server.url.origin)
  await alive.promise
  worker.kill("SIGKILL")
  // What it started holds its output until it ends.
  await worker.ends()
  expect(processesWith(`sleep ${mark}`)).toEqual([])
})

test.each(["worker.py", "worker.ts"])("the command of %s ends when it was killed", async (name) => {
  const [program = "", ...args] = EXAMPLES[name] ?? []
  if (Bun.which(program) === null) return
  await using server = await start()
  const id = await server.add()
  const mark = `68${process.pid}`
  await using worker = working(server, [program, ...args], `echo 19%; echo 20%; sleep ${mark}; true`)
  await until(server, id, ({ progress }) => progress === 20)
  expect(processesWith(`sleep ${mark}`)).not.toEqual([])
  worker.kill("SIGKILL")
  while (processesWith(`sleep ${mark}`).length > 0) await Bun.sleep(20)
})

test("worker.sh ends also if it is asked to in the moment in which its command ends", async () => {
  await using server = await start()
  const ids = await Promise.all([1, 2, 3, 4, 5].map((song) => server.add({ song_id: song })))
  // Signals all around the moment: bash may lose the end of a process that it waits for.
  const script = "(for i in {1..200}; do kill -TERM $PPID; done) 2>/dev/null & true"
  const workers = ids.map(() => new Program([...BASH_WORKER, script], server.url))
  expect(await Promise.all(workers.map((worker) => worker.ends()))).toEqual(ids.map(() => 0))
  for (const id of ids) expect(await itemOf(server, id)).toMatchObject({ status: "completed" })
})

test.skipIf(Bun.which("setsid") === null)(
  "Ctrl-C lets worker.sh and its command finish the item, with all that the command prints",
  async () => {
    await using server = await start()
    const id = await server.add({ song_id: 3 })
    const go = join(folder.path, "ctrl-c-go")
    const script = `echo 20%; while [ ! -e ${go} ]; do sleep 0.02; done; echo 30% && echo late`
    await using worker = new Program(["setsid", ...BASH_WORKER, script], server.url)
    await until(server, id, ({ progress }) => progress === 20)
    process.kill(-worker.child.pid, "SIGINT")
    await Bun.write(go, "")
    expect(await worker.ends()).toBe(0)
    expect((await worker.stdout).toString()).toBe("20%\n30%\nlate\n")
    expect(await itemOf(server, id)).toMatchObject({ status: "completed" })
  },
)

test("Ctrl-C while worker.sh ends what a failed command left running does not keep it from reporting the failure", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 3, max_attempts: 1 })
  const [ready, go] = [join(folder.path, "left-ready"), join(folder.path, "left-go")]
  const waiting = `trap 'echo asked; while [ ! -e ${go} ]; do sleep 0.02; done; exit' TERM; touch ${ready}; while :; do sleep 0.02; done`
  const script = `(${waiting}) & while [ ! -e ${ready} ]; do sleep 0.02; done; exit 3`
  await using terminal = new TestTerminal([...BASH_WORKER, script], { TRACK_STUDIO_SERVER: server.url })
  await terminal.until((lines) => lines.includes("asked"))
  terminal.type("\u0003")
  await terminal.until((lines) => lines.some((line) => line.includes("^C")))
  await Bun.write(go, "")
  expect(await terminal.child.exited).toBe(0)
  expect(await itemOf(server, id)).toMatchObject({ error_message: "the command ended with code 3" })
})

const units = readdirSync("packaging").filter((file) => file.endsWith(".service"))

test.skipIf(Bun.which("systemd-analyze") === null)("systemd understands our units", async () => {
  // It also checks that the program exists.
  const program = join(folder.path, "track-studio")
  writeFileSync(program, "#!/bin/sh\n")
  chmodSync(program, 0o755)
  const copies = units.map((file) => {
    const copy = join(folder.path, file)
    const unit = readFileSync(join("packaging", file), "utf8")
    writeFileSync(copy, unit.replaceAll("/usr/local/bin/track-studio", program))
    return copy
  })
  const verify = Bun.spawn(["systemd-analyze", "verify", ...copies], { stdout: "pipe", stderr: "pipe" })
  expect(units).toHaveLength(2)
  expect(await new Response(verify.stderr).text()).toBe("")
  expect(await verify.exited).toBe(0)
})

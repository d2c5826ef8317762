import { expect, setDefaultTimeout, test } from "bun:test"

import { PROGRAM, start, temporaryFolder, textOf } from "../server.ts"
import { unreadPipe } from "../unread-pipe.ts"

setDefaultTimeout(180_000)

/** A running `watch`. */
class Watching {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">
  #text = ""
  #ended = false
  #changed: () => void = () => undefined

  constructor(url: string, ...args: readonly string[]) {
    this.child = Bun.spawn([...PROGRAM, "watch", ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, TRACK_STUDIO_SERVER: url },
    })
    void this.#read()
  }

  /** The whole lines so far. */
  get lines(): string[] {
    return this.#text.split("\n").slice(0, -1)
  }

  /** The lines that are updates. */
  get updates(): string[] {
    return this.lines.filter((line) => !line.startsWith("#"))
  }

  /** Resolves once `fits` holds of the lines. */
  async until(fits: (lines: readonly string[]) => boolean): Promise<void> {
    while (!fits(this.lines)) {
      if (this.#ended) throw new Error(`watch ended:\n${this.#text}${await textOf(this.child.stderr)}`)
      await new Promise<void>((resolve) => (this.#changed = resolve))
    }
  }

  /** Interrupts it and returns its exit code. */
  async end(signal: NodeJS.Signals = "SIGINT"): Promise<number> {
    this.child.kill(signal)
    return await this.child.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL")
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of this.child.stdout) {
      this.#text += decoder.decode(chunk, { stream: true })
      this.#changed()
    }
    this.#ended = true
    this.#changed()
  }
}

const isLive = (lines: readonly string[]): boolean => lines.includes("# live")
const tells = (said: string) => (lines: readonly string[]) => lines.some((line) => line.includes(said))

test("watch shows the state of all items that are not finished, then every update, one line each", async () => {
  await using server = await start()
  const first = await server.add({ song_id: 1, title: "Evening song" })
  await server.put(await server.add(), { status: "failed" })
  await using watching = new Watching(server.url)
  await watching.until(isLive)
  await server.put(first, { status: "processing", progress: 5, current_step: "Images", message: "3 of 5" })
  await server.put(first, { status: "completed", message: "done" })
  await server.put(await server.add({ song_id: 2 }), { error_message: "careful" })
  await watching.until(tells("careful"))
  const [snapshot, live, ...updates] = watching.lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ""))
  expect([snapshot, live]).toEqual(["#1 Evening song  queued       0%  Queue item created", "# live"])
  expect(updates).toEqual([
    "#1 Evening song  processing   5%  Images - 3 of 5",
    "#1 Evening song  completed  100%  Images - done",
    "#3  queued       0%  Queue item created",
    "#3  queued       0%  careful",
  ])
})

test("watch with an id shows only that item, and ends with it, or at once if it is finished already", async () => {
  await using server = await start()
  const [one, other] = [await server.add({ song_id: 1 }), await server.add({ song_id: 2 })]
  await using watching = new Watching(server.url, String(one))
  await watching.until(isLive)
  await server.put(other, { message: "of the other" })
  await server.put(one, { title: "Renamed" })
  await server.put(one, { status: "failed", error_message: "no space" })
  expect(await watching.child.exited).toBe(0)
  await watching.until(tells("# cancelled"))
  expect(watching.updates.map((line) => line.slice(9))).toEqual([
    "#1  queued       0%  Queue item created",
    "#1 Renamed  queued       0%  Queue item updated",
    "#1 Renamed  cancelled    0%  no space",
  ])
  await using late = new Watching(server.url, String(one))
  expect(await late.child.exited).toBe(0)
  await late.until(tells("# cancelled"))
  expect(late.lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ""))).toEqual([
    "#1 Renamed  cancelled    0%  no space",
    "# live",
    "# cancelled",
  ])
})

test("watch replaces what could steer a terminal, and keeps every update on one line", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1, title: "T\u001b]0;title\u0007" })
  await using watching = new Watching(server.url)
  await watching.until(isLive)
  const hostile = "a\u001b[2Jb\rc\nd\r\ne\u0000f\u009b31mg\u202eh\u2028i\u007fj\tk 😀".replace("\0", "")
  await server.put(id, { message: hostile, current_step: hostile, error_message: hostile })
  await server.put(id, { message: "the last" })
  await watching.until(tells("the last"))
  const plain = "a\ufffd[2Jb c d ef\ufffd31mg\ufffdh i\ufffdj k 😀"
  expect(watching.updates[1]).toEndWith(
    // Of an error, only the line with its reason is shown.
    `#1 T\ufffd]0;title\ufffd  queued       0%  ${plain} - ${plain} - i\ufffdj k 😀`,
  )
  expect(watching.updates).toHaveLength(3)
})

test("watch --json prints one object per line, the updates with their event IDs", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1 })
  await using watching = new Watching(server.url, "--json")
  await watching.until((lines) => lines.length === 2)
  await server.put(id, { progress: 9, message: "line\nbreak" })
  await watching.until((lines) => lines.length === 3)
  const said: unknown[] = watching.lines.map((line) => JSON.parse(line))
  expect(said).toMatchObject([
    { type: "update", id: 1, update: { queue_id: 1, message: "Queue item created" } },
    { type: "control", name: "live", data: { last_event_id: 1 } },
    { type: "update", id: 2, update: { queue_id: 1, progress: 9, message: "line\nbreak" } },
  ])
})

test("watch goes on where it was when the server comes back, and misses and doubles nothing", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  const before = await start({ database })
  const { port } = new URL(before.url)
  const id = await before.add({ song_id: 1 })
  await using watching = new Watching(before.url)
  await watching.until(isLive)
  await before.put(id, { message: "before the restart" })
  await watching.until(tells("before the restart"))
  expect(await before.end()).toBe(0)
  await watching.until(tells("retrying in"))

  const between = await start({ database, args: ["--port", port] })
  await between.put(id, { status: "processing", message: "while it is away" })
  for (const progress of [10, 20, 30]) await between.put(id, { progress, message: `at ${progress}` })
  await watching.until(tells("at 30"))
  expect(await between.end("SIGKILL")).not.toBe(0)

  await using after = await start({ database, args: ["--port", port] })
  await after.put(id, { progress: 99, message: "after the crash" })
  await watching.until(tells("after the crash"))
  await after.put(id, { status: "completed", message: "the end" })
  await watching.until(tells("the end"))
  expect(
    watching.updates.map((line) => line.split("%  ")[1]?.replace(/^.+ left, done at \d\d:\d\d {2}/, "")),
  ).toEqual([
    "Queue item created",
    "before the restart",
    "while it is away",
    "at 10",
    "at 20",
    "at 30",
    "after the crash",
    "the end",
  ])
  expect(watching.lines).toContain("# the server is shutting down")
  await between[Symbol.asyncDispose]()
  await before[Symbol.asyncDispose]()
}, 180_000)

test("watch waits for a server that is not there yet", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  const gone = await start({ database })
  const { port } = new URL(gone.url)
  await gone.add({ song_id: 1, title: "There" })
  await gone[Symbol.asyncDispose]()
  await using watching = new Watching(gone.url)
  await watching.until(tells("no server answers at"))
  await using server = await start({ database, args: ["--port", port] })
  await watching.until(tells("There"))
  await server.put(1, { message: "hello" })
  await watching.until(tells("hello"))
}, 180_000)

test("watch ends with exit 0 when it is interrupted or terminated", async () => {
  await using server = await start()
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using watching = new Watching(server.url)
    await watching.until(isLive)
    expect(await watching.end(signal)).toBe(0)
    expect(await textOf(watching.child.stderr)).toBe("")
    await server.connectedClients(0)
  }
})

test("watch can be interrupted while there is no server", async () => {
  const gone = await start()
  await gone[Symbol.asyncDispose]()
  await using watching = new Watching(gone.url)
  await watching.until(tells("retrying in"))
  expect(await watching.end()).toBe(0)
})

test("watch can be interrupted while the program that reads its output stands still", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1 })
  const line = [...PROGRAM, "watch", "--json"].map((word) => `'${word}'`).join(" ")
  using pipe = unreadPipe()
  const child = Bun.spawn(["bash", "-c", `exec ${line} > ${pipe.path}`], {
    env: { ...process.env, TRACK_STUDIO_SERVER: server.url },
  })
  await server.connectedClients(1)
  // A pipe holds 64 KiB.
  for (let at = 0; at < 8; at += 1) await server.put(id, { message: `${at}`.repeat(16_000) })
  await server.connectedClients(1)
  child.kill("SIGTERM")
  expect(await child.exited).toBe(0)
})

test("watch ends quietly when nobody reads its output any more", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1 })
  const child = Bun.spawn(
    ["sh", "-c", '{ "$@"; echo "exit $?" >&2; } | head -n 2', "sh", ...PROGRAM, "watch"],
    {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, TRACK_STUDIO_SERVER: server.url },
    },
  )
  const ended = textOf(child.stderr)
  // It notices only when it writes that nobody reads.
  let over = false
  void ended.then(() => (over = true))
  while (!over) await server.put(id, { message: "to nobody" })
  expect(await ended).toBe("exit 0\n")
  expect((await textOf(child.stdout)).split("\n")).toHaveLength(3)
  await server.connectedClients(0)
})

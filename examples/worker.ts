/*
 * A render worker in TypeScript with our client:
 *
 *   bun examples/worker.ts COMMAND [ARGUMENT...]
 *
 * Takes items from the queue, one after the other, and runs COMMAND for each, which finds the item in
 * TRACK_STUDIO_ITEM_ID and TRACK_STUDIO_SONG_ID, and as JSON in TRACK_STUDIO_ITEM. Percentages that it prints are its
 * progress. Exit code 0 completes the item, any other fails it. A cancelled item's command is stopped, and so is what a
 * failed command has left running.
 *
 * TRACK_STUDIO_SERVER names the server; the default is http://localhost:8080. TRACK_STUDIO_TOKEN is a token of the role
 * worker, if the server wants one; COMMAND does not get it. WORKER_NAME is the worker's name that viewers see. SIGTERM
 * finishes the current item.
 *
 * "track-studio work" does the same, and more.
 */

import { hostname } from "node:os"
import { setTimeout } from "node:timers/promises"

import { type Claimed, Client, type Held, ServerError } from "../src/client/client.ts"

const REPORT_EVERY_MS = 250
const STOP_WITHIN_MS = 10_000
const TRIES = 60
const REFUSED_MS = 2000

const name = process.env["WORKER_NAME"] ?? hostname()
const server = process.env["TRACK_STUDIO_SERVER"] ?? "http://localhost:8080"
const { TRACK_STUDIO_TOKEN: token, ...environment } = process.env
const client = new Client(server, token === undefined ? {} : { token })
const say = (text: string): void => console.error(`worker.ts: ${text}`)

/** Whether the work is to stop: it was cancelled, or another worker has it. */
const isStop = (error: unknown): boolean => error instanceof ServerError && error.directive === "cancel"
/** Whether the server is away; the render goes on, and we try again. */
const isAway = (error: unknown): boolean => error instanceof ServerError && error.isPassing
/** Whether the server refuses our token, which may be exchanged while we work. */
const isOfToken = (error: unknown): boolean =>
  error instanceof ServerError && (error.status === 401 || error.status === 403)

type Render = Bun.Subprocess<"ignore", "pipe", "inherit">

/** SIGTERM to the command and all that it started, and force after 10 s. */
async function stop({ pid }: Render): Promise<void> {
  const untilMs = performance.now() + STOP_WITHIN_MS
  try {
    process.kill(-pid, "SIGTERM")
    while (performance.now() < untilMs) {
      await Bun.sleep(50)
      process.kill(-pid, 0)
    }
    process.kill(-pid, "SIGKILL")
  } catch {
    // All of them have ended.
  }
}

/** Says that we live, and hears of a cancel the moment it is requested. */
async function heartbeat(held: Held, render: Render, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    try {
      const { directive } = await client.heartbeat(held, 20, ended)
      if (directive === "cancel") return await stop(render)
    } catch (error) {
      if (ended.aborted) return
      if (isStop(error)) return await stop(render)
      await Bun.sleep(1000)
    }
  }
}

/** Reports the latest percentage, a few times a second at most. What cannot be reported stops no render. */
class Reporter {
  readonly #held: Held
  #latest: number | undefined
  #sending: Promise<void> | undefined
  #isOver = false

  constructor(held: Held) {
    this.#held = held
  }

  push(progress: number): void {
    this.#latest = progress
    this.#sending ??= this.#send()
  }

  /** Resolves when the last one is sent; it is tried once then. */
  async end(): Promise<void> {
    this.#isOver = true
    await this.#sending
  }

  async #send(): Promise<void> {
    while (this.#latest !== undefined) {
      const progress = this.#latest
      this.#latest = undefined
      await client.report(this.#held, { progress }).catch((error: unknown) => {
        // It is sent again, if none has come since.
        if (isAway(error) && !this.#isOver) this.#latest ??= progress
      })
      if (this.#latest === undefined) break
      await Bun.sleep(REPORT_EVERY_MS)
    }
    this.#sending = undefined
  }
}

/** Passes the command's output on, and reports the percentages in it. */
async function readProgress(held: Held, render: Render): Promise<void> {
  const reporter = new Reporter(held)
  const decoder = new TextDecoder()
  for await (const chunk of render.stdout) {
    process.stdout.write(chunk)
    const text = decoder.decode(chunk, { stream: true })
    const found = [...text.matchAll(/(?<![\d.])(\d{1,2}(?:\.\d+)?|100) ?%/g)].at(-1)
    if (found) reporter.push(Number(found[1]))
  }
  await reporter.end()
}

/** Tries for a minute: the server may just be restarting. */
async function surely(what: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      return void (await what())
    } catch (error) {
      if (!isAway(error)) say(String(error))
      if (!isAway(error) && !isOfToken(error)) return
      await Bun.sleep(1000)
    }
  }
}

/** One item, from its start to its end. */
async function render({ item, lease }: Claimed, command: readonly string[]): Promise<void> {
  const held: Held = { id: item.id, token: lease.token }
  const child = Bun.spawn([...command], {
    env: {
      ...environment,
      TRACK_STUDIO_ITEM: JSON.stringify(item),
      TRACK_STUDIO_ITEM_ID: String(item.id),
      TRACK_STUDIO_SONG_ID: String(item.song_id),
    },
    // ffmpeg takes what it reads there for keys, and a "q" ends it.
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    detached: true,
  })
  // If we are killed, what it reads from us ends, and it ends the command: the next attempt writes the same file.
  const guard = Bun.spawn(["sh", "-c", 'read -r _; kill -s KILL -- "-$0"', String(child.pid)], {
    stdin: "pipe",
    stdout: "ignore",
    detached: true,
  })
  const ended = new AbortController()
  const beating = heartbeat(held, child, ended.signal)
  // The next attempt must not write beside what this one has left running, which may hold the output as well.
  const leftover = child.exited.then((failed) => (failed ? stop(child) : undefined))
  await readProgress(held, child)
  await leftover
  const code = await child.exited
  guard.kill("SIGKILL")
  ended.abort()
  await beating
  // If the item was cancelled meanwhile, the server records that instead of the failure.
  const error_message = `the command ended with code ${code}`
  await surely(() => (code === 0 ? client.complete(held) : client.fail(held, { error_message })))
  say(`item ${item.id} ended with code ${code}`)
}

const command = process.argv.slice(2)
if (command.length === 0) {
  say("the command is missing")
  process.exit(2)
}
const stopping = new AbortController()
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => stopping.abort())
say(`taking items from ${server} as ${name}`)
let idempotencyKey = crypto.randomUUID()
while (!stopping.signal.aborted) {
  try {
    // If the answer is lost, the same claim with the same key gets the same item.
    const claimed = await client.claim({ worker: name, wait: 25, idempotencyKey }, stopping.signal)
    idempotencyKey = crypto.randomUUID()
    // This worker is to take no more items.
    if (claimed === "drain") break
    if (claimed) await render(claimed, command)
  } catch (error) {
    if (stopping.signal.aborted) break
    if (!isAway(error) && !isOfToken(error)) throw error
    say(`${String(error)}; trying again`)
    // A signal ends this wait, too.
    await setTimeout(isAway(error) ? 1000 : REFUSED_MS, undefined, stopping).catch(() => undefined)
  }
}

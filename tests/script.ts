import { expect } from "bun:test"

import type { TestServer } from "./server.ts"

/** A running script. */
export class Script {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">
  stdout = ""
  stderr = ""
  /** Resolves with the exit code when all output has come. */
  readonly ended: Promise<number>
  #changed: () => void = () => undefined

  constructor(name: string, args: readonly string[], url: string, env: Record<string, string> = {}) {
    this.child = Bun.spawn([`scripts/${name}`, ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, TRACK_STUDIO_SERVER: url, ...env },
    })
    const output = [
      this.#read(this.child.stdout, (text) => (this.stdout += text)),
      this.#read(this.child.stderr, (text) => (this.stderr += text)),
    ]
    this.ended = Promise.all(output).then(() => this.child.exited)
  }

  /** Resolves when the output contains a text. */
  async until(text: string): Promise<void> {
    let isOver = false
    const over = this.ended.then(() => (isOver = true))
    while (!`${this.stdout}${this.stderr}`.includes(text)) {
      if (isOver) throw new Error(`it ended without "${text}":\n${this.stdout}${this.stderr}`)
      const more = new Promise<void>((resolve) => {
        this.#changed = resolve
      })
      await Promise.race([more, over])
    }
  }

  /** The lines of standard output that begin with this word, without the word. */
  lines(word: string): string[] {
    return this.stdout
      .split("\n")
      .filter((line) => line.startsWith(word))
      .map((line) => line.slice(word.length).trim())
  }

  async #read(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      add(decoder.decode(chunk, { stream: true }))
      this.#changed()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM")
    await this.ended
  }
}

export interface Update {
  readonly status: string
  readonly progress: number
  readonly current_step: string
  readonly message: string
  readonly error_message?: string
}

export interface Item extends Update {
  readonly video_file_path: string
  readonly video_file_size: number
}

export const history = async (server: TestServer, id: number): Promise<Update[]> => {
  const body: { updates: Update[] } = await (await server.api("GET", `/queue/${id}/updates`)).json()
  return body.updates
}

export const itemOf = async (server: TestServer, id: number): Promise<Item> =>
  (await server.api("GET", `/queue/${id}`)).json()

/** Status and percentage of each update in lines of `?format=text`. */
export const seenIn = (lines: readonly string[]): [status: string, progress: number][] =>
  lines.flatMap((line) => {
    const [, status = "", progress] = /^\d\d:\d\d:\d\d #\d+ .*? {2}([a-z]+) +(\d+)%/.exec(line) ?? []
    return progress === undefined ? [] : [[status, Number(progress)]]
  })

/** From 0 to 100, never down, through the allowed states, and complete only at the end. */
export function expectWholeRender(seen: readonly [status: string, progress: number][]): void {
  const shares = seen.map(([, progress]) => progress)
  expect(shares[0]).toBe(0)
  expect(shares.at(-1)).toBe(100)
  expect(shares).toEqual(shares.toSorted((a, b) => a - b))
  expect(shares.indexOf(100)).toBe(shares.length - 1)
  const states = seen.map(([status]) => status).filter((status, at, all) => status !== all[at - 1])
  expect(states).toEqual(["queued", "processing", "completed"])
}

/** An address at which no program listens. */
export async function nowhere(): Promise<string> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() })
  const url = `http://127.0.0.1:${server.port}`
  await server.stop(true)
  return url
}

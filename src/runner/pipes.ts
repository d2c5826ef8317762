import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** A pipe: a file descriptor to read from, and one for a command to write to. */
export interface Pipe {
  readonly from: number
  readonly to: number
}

/**
 * Makes pipes, or answers undefined where the system lets us make none.
 *
 * Bun gives its children sockets, which cannot be opened by name: `echo >/dev/stderr` would fail in a script that
 * works without us.
 */
export function makePipes(count: number): Pipe[] | undefined {
  let folder: string | undefined
  try {
    folder = mkdtempSync(join(tmpdir(), "track-studio-"))
    const paths = Array.from({ length: count }, (_, index) => join(folder ?? "", String(index)))
    const { success } = Bun.spawnSync(["mkfifo", "-m", "600", ...paths], { stderr: "ignore" })
    if (!success) return undefined
    return paths.map((path) => {
      const from = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      return { from, to: openSync(path, constants.O_WRONLY) }
    })
  } catch {
    return undefined
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** How to read a command's output. */
export interface TapOptions {
  /** Where it is passed on, byte for byte; absent for what nobody else reads. */
  readonly sink?: NodeJS.WritableStream | undefined
  readonly hear: (text: string) => void
  /** The file descriptor beneath the stream, closed with it. */
  readonly descriptor?: number | undefined
}

/** Reads an output of a command to its end, passes it on, and lets it be heard. */
export class Tap {
  /** Resolves at the end of the output, or when nobody takes it any more; never rejects. */
  readonly ended: Promise<void>
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #options: TapOptions
  #chunks = 0
  #writing = false

  constructor(stream: ReadableStream<Uint8Array>, options: TapOptions) {
    this.#reader = stream.getReader()
    this.#options = options
    this.ended = this.#read()
  }

  /** Reads on until nothing has come for `quietMs`: something that the command left behind may hold it open for ever. */
  async drain(quietMs: number): Promise<void> {
    for (let before = -1; this.#writing || before !== this.#chunks;) {
      before = this.#chunks
      const quiet = new AbortController()
      const over = sleep(quietMs, false, { signal: quiet.signal }).catch(() => true)
      const isEnded = await Promise.race([this.ended.then(() => true), over])
      // A timer that is left would keep the program from ending.
      quiet.abort()
      if (isEnded) return
    }
    await this.#reader.cancel()
    await this.ended
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder()
    const { sink, hear, descriptor } = this.#options
    try {
      for (;;) {
        const { value, done } = await this.#reader.read()
        if (done) break
        this.#chunks += 1
        this.#writing = true
        hear(decoder.decode(value, { stream: true }))
        if (sink) await written(sink, value)
        this.#writing = false
      }
    } catch {
      // Nobody takes it any more: the command is to see that, as it would without us.
      await this.#reader.cancel().catch(() => undefined)
    } finally {
      this.#writing = false
      if (descriptor !== undefined) closeSync(descriptor)
    }
  }
}

const written = (sink: NodeJS.WritableStream, chunk: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    sink.write(chunk, (error) => (error ? reject(error) : resolve()))
  })

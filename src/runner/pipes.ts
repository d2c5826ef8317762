import { closeSync, constants, openSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

import { codeOf } from "../errors.ts"
import { pipe } from "../machine/libc.ts"
import type { NonBlockingOutput } from "../non-blocking-output.ts"

/** How long to wait for our own output after a request to stop. */
const SINK_WITHIN_MS = 1000
/** At most about so much waits for our own output while it is read on without it. */
const MOST_UNWRITTEN_BYTES = 1024 * 1024

/** Both ends of a pipe, as file descriptors of this process. */
export interface Pipe {
  /** The end that we read; it does not block. */
  readonly from: number
  /** The end that a command writes. */
  readonly to: number
}

/**
 * Makes a pipe, or returns undefined if the system does not allow it. Bun gives its children sockets, which
 * cannot be opened by name: a script that contains `echo >/dev/stderr` would fail, although it works without
 * us.
 */
export function makePipe(): Pipe | undefined {
  const ends = pipe()
  if (!ends) return undefined
  try {
    // The end is opened again because a flag on the descriptor itself would also hold for the command's end.
    const from = openSync(`/proc/self/fd/${ends.from}`, constants.O_RDONLY | constants.O_NONBLOCK)
    return { from, to: ends.to }
  } catch {
    closeSync(ends.to)
    return undefined
  } finally {
    closeSync(ends.from)
  }
}

/** What to do with an output of a command. */
export interface TapOptions {
  /** Where the bytes are passed on unchanged; absent if only we read them. */
  readonly sink?: NonBlockingOutput | undefined
  /**
   * Whether the output is read on once nobody reads the sink any more. Default false: then it is closed as well, so that
   * the command sees the same as without us. A sink that fails in any other way, such as a file on a full disk, never
   * closes it.
   */
  readonly outlivesSink?: boolean
  /** Called with the first failure of a sink that somebody may still read; default: nothing. */
  readonly onUnwritten?: (error: Error) => void
  /** Called with each piece of the output, which does not change any more. */
  readonly onBytes: (bytes: Uint8Array) => void
  /** The file descriptor of the stream, which is closed at its end; absent if the stream closes it itself. */
  readonly descriptor?: number | undefined
}

/** Whether a write failed because nobody reads the output any more. */
const isUnread = (error: Error): boolean => ["EPIPE", "ECONNRESET"].includes(codeOf(error))

/** Reads one output of a command to its end and passes it on. */
export class Tap {
  readonly #ended: Promise<void>
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #options: TapOptions
  #isHurried = false
  /** Whether a write has taken too long and is still under way. */
  #isSinkStuck = false
  /** Whether the sink could not take something that somebody may still read. */
  #hasFailed = false
  /** What the sink has got and not yet taken. */
  #unwrittenBytes = 0
  /** The write to the sink that has not ended yet; undefined if there is none. */
  #write: PromiseWithResolvers<void> | undefined
  #chunks = 0
  #isWriting = false

  constructor(stream: ReadableStream<Uint8Array>, options: TapOptions) {
    this.#reader = stream.getReader()
    this.#options = options
    this.#ended = this.#read()
  }

  /**
   * From now on reads on as soon as the sink has taken nothing for a second: its reader may stand still. If it reads
   * again, it gets all but what exceeded 1 MiB meanwhile.
   */
  hurry(): void {
    this.#isHurried = true
    this.#limitWrite()
  }

  /**
   * Reads on until nothing has come for `quietMs`, or until `isEnough` answers true (default: never): a process that the
   * command left behind may keep the output open, and print for ever. Hurries if the output outlives its sink.
   */
  async readToEnd(quietMs: number, isEnough = (): boolean => false): Promise<void> {
    if (this.#options.outlivesSink) this.hurry()
    for (let before = -1; this.#isWriting || before !== this.#chunks;) {
      if (!this.#isWriting && isEnough()) break
      before = this.#chunks
      const quiet = new AbortController()
      const over = sleep(quietMs, false, { signal: quiet.signal }).catch(() => true)
      const isEnded = await Promise.race([this.#ended.then(() => true), over])
      // A timer that still runs would keep the program alive.
      quiet.abort()
      if (isEnded) return
    }
    await this.#reader.cancel()
    await this.#ended
  }

  async #read(): Promise<void> {
    const { onBytes, descriptor } = this.#options
    try {
      for (;;) {
        const { value, done } = await this.#reader.read()
        if (done) break
        this.#chunks += 1
        this.#isWriting = true
        onBytes(value)
        await this.#pass(value)
        this.#isWriting = false
      }
    } catch {
      // Our own output was closed.
      await this.#reader.cancel().catch(() => undefined)
    } finally {
      this.#isWriting = false
      if (descriptor !== undefined) closeSync(descriptor)
    }
  }

  /** Resolves once the sink has taken the bytes, or has failed, or is no longer waited for. @throws if nobody reads the sink */
  async #pass(bytes: Uint8Array): Promise<void> {
    const { sink, outlivesSink, onUnwritten } = this.#options
    if (!sink || this.#unwrittenBytes > MOST_UNWRITTEN_BYTES) return
    const write = Promise.withResolvers<void>()
    this.#write = write
    this.#unwrittenBytes += bytes.length
    sink.write(bytes, (error) => {
      this.#unwrittenBytes -= bytes.length
      this.#isSinkStuck = false
      if (error && isUnread(error)) return outlivesSink ? write.resolve() : write.reject(error)
      if (error && !this.#hasFailed) onUnwritten?.(error)
      this.#hasFailed ||= error instanceof Error
      write.resolve()
    })
    if (this.#isSinkStuck) write.resolve()
    else if (this.#isHurried) this.#limitWrite()
    await write.promise
    this.#write = undefined
  }

  /** Ends the wait for the write under way in a second. */
  #limitWrite(): void {
    const write = this.#write
    if (!write) return
    const late = (): void => {
      this.#isSinkStuck ||= this.#write === write
      write.resolve()
    }
    setTimeout(late, SINK_WITHIN_MS).unref()
  }
}

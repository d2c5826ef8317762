import { createParser } from "eventsource-parser"

import type { Seen } from "./reader.ts"

const LINE_END = Buffer.from("\r\n")

/** Decodes chunked transfer coding, however it was cut. */
class Chunked {
  /** Whether the last chunk came, which means that the sender ended properly. */
  ended = false
  readonly #onBody: (bytes: Uint8Array) => void
  #line: Uint8Array = new Uint8Array()
  #left = 0

  constructor(onBody: (bytes: Uint8Array) => void) {
    this.#onBody = onBody
  }

  feed(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length && !this.ended) {
      if (this.#left > 0) {
        const piece = bytes.subarray(at, at + this.#left)
        this.#onBody(piece)
        this.#left -= piece.length
        at += piece.length
        continue
      }
      const line = Buffer.concat([this.#line, bytes.subarray(at)])
      // The line break after a chunk's data comes before the next size.
      const start = line.indexOf(LINE_END) === 0 ? LINE_END.length : 0
      const end = line.indexOf(LINE_END, start)
      if (end < 0) {
        this.#line = line
        return
      }
      this.#left = Number.parseInt(line.toString("latin1", start, end), 16)
      this.ended = this.#left === 0
      at += end + LINE_END.length - this.#line.length
      this.#line = new Uint8Array()
    }
  }
}

/** How to ask for a stream. */
export interface SocketOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Whether to parse what comes, or only to read it; default true. */
  readonly parse?: boolean
}

/**
 * Reads one stream over its own socket, so that a test decides when it reads, when it stops, and how it
 * leaves. Any number of them can be open, which `fetch` does not allow.
 */
export class SocketReader {
  readonly seen: Seen[] = []
  head = ""
  /** The bytes of the body that have come. */
  bytes = 0
  comments = 0
  /**
   * Resolves when the connection is closed: with true if the stream had ended properly, with false if it was
   * cut.
   */
  readonly ended: Promise<boolean>
  readonly #closed = Promise.withResolvers<boolean>()
  readonly #chunked: Chunked
  #socket: Bun.Socket | undefined
  #changed: () => void = () => undefined

  private constructor(parse: boolean) {
    this.ended = this.#closed.promise
    const decoder = new TextDecoder()
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        this.seen.push({
          id: id === undefined ? undefined : Number(id),
          event: event ?? "message",
          data: JSON.parse(data),
        })
      },
      onComment: () => (this.comments += 1),
    })
    this.#chunked = new Chunked((bytes) => {
      this.bytes += bytes.length
      if (parse) parser.feed(decoder.decode(bytes, { stream: true }))
    })
  }

  /** Opens a stream of `server` (its URL); resolves when the request is on its way. */
  static async open(
    server: string,
    path: string,
    { headers = {}, parse = true }: SocketOptions = {},
  ): Promise<SocketReader> {
    const reader = new SocketReader(parse)
    const { hostname, port } = new URL(server)
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    reader.#socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => {
          socket.write(`GET /api/v1${path} HTTP/1.1\r\nHost: ${hostname}\r\n${lines.join("")}\r\n`)
        },
        data: (_socket, bytes) => reader.#take(bytes),
        close: () => reader.#close(),
        error: () => reader.#close(),
      },
    })
    return reader
  }

  /** Resolves when `fits` is true; rejects if the stream ends before. */
  async until(fits: (reader: SocketReader) => boolean): Promise<this> {
    while (!fits(this)) {
      const next = new Promise<true>((resolve) => {
        this.#changed = () => resolve(true)
      })
      const goes = await Promise.race([next, this.ended.then(() => false)])
      if (!goes && !fits(this)) throw new Error(`the stream ended after ${this.seen.length} events`)
    }
    return this
  }

  /** Resolves with the first event of this name. */
  async first(event: string): Promise<Seen> {
    await this.until(({ seen }) => seen.some((one) => one.event === event))
    const found = this.seen.find((one) => one.event === event)
    if (!found) throw new Error(`no ${event}`)
    return found
  }

  /** The updates seen so far, without control frames. */
  get updates(): Seen[] {
    return this.seen.filter(({ event }) => event === "message")
  }

  /** Stops reading. Everything that comes stays in the kernel, and later at the sender. */
  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Closes the connection. */
  leave(): void {
    this.#socket?.end()
  }

  /** Resets the connection, as a process that dies does. */
  reset(): void {
    this.#socket?.terminate()
  }

  #take(bytes: Buffer): void {
    let body: Uint8Array = bytes
    if (!this.head.includes("\r\n\r\n")) {
      const before = this.head.length
      this.head += bytes.toString("latin1")
      const end = this.head.indexOf("\r\n\r\n")
      if (end < 0) return
      this.head = this.head.slice(0, end + 4)
      body = bytes.subarray(end + 4 - before)
    }
    this.#chunked.feed(body)
    this.#changed()
    // Otherwise the connection would be kept for another request.
    if (this.#chunked.ended) this.leave()
  }

  #close(): void {
    this.#closed.resolve(this.#chunked.ended)
  }
}

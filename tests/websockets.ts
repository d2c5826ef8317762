/** One message of the server, parsed. */
export type Said = Readonly<Record<string, unknown>>

/** Lets a test wait for what has come. */
class Waiting {
  #changed: () => void = () => undefined

  /** Says that something has come. */
  ring(): void {
    this.#changed()
  }

  /** Resolves when `fits` is true; rejects if `over` resolves before. */
  async until(fits: () => boolean, over: Promise<unknown>): Promise<void> {
    while (!fits()) {
      const next = new Promise<true>((resolve) => {
        this.#changed = () => resolve(true)
      })
      if (fits()) return
      const goes = await Promise.race([next, over.then(() => false)])
      if (!goes && !fits()) throw new Error("the socket closed before")
    }
  }
}

/** What the runtime's WebSocket has in addition to a browser's, whose types are used in these tests. */
interface RuntimeWebSocket extends WebSocket {
  ping(): void
  pong(): void
}
const RuntimeWebSocket = WebSocket as unknown as new (
  url: string,
  options: { readonly headers: Readonly<Record<string, string>> },
) => RuntimeWebSocket

/** A WebSocket of the runtime, which is like a browser's. */
export class WebSocketReader {
  readonly seen: Said[] = []
  /** How often the server answered a ping. */
  pongs = 0
  /** Resolves when the socket has closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  readonly #socket: RuntimeWebSocket
  readonly #waiting = new Waiting()

  private constructor(socket: RuntimeWebSocket) {
    this.#socket = socket
    const { promise, resolve } = Promise.withResolvers<{ code: number; reason: string }>()
    this.closed = promise
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }))
    socket.addEventListener("message", ({ data }) => {
      this.seen.push(JSON.parse(String(data)))
      this.#waiting.ring()
    })
    // The types are a browser's, but the runtime also reports pongs.
    const other: EventTarget = socket
    other.addEventListener("pong", () => {
      this.pongs += 1
      this.#waiting.ring()
    })
  }

  /** Opens a socket of `server` (its URL); rejects if the handshake fails. */
  static async open(server: string, path: string, headers: Record<string, string> = {}) {
    const socket = new RuntimeWebSocket(`${server.replace(/^http/, "ws")}/api/v1${path}`, { headers })
    const reader = new WebSocketReader(socket)
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve)
      socket.addEventListener("error", () => reject(new Error("the handshake failed")))
    })
    return reader
  }

  /** The updates seen so far, without control frames. */
  get updates(): Said[] {
    return this.seen.filter((said) => said["event"] === undefined)
  }

  /** Resolves when `fits` is true for this reader. */
  async until(fits: (reader: this) => boolean): Promise<this> {
    await this.#waiting.until(() => fits(this), this.closed)
    return this
  }

  /** Resolves with the `nth` control frame of this name, from 1. */
  async control(name: string, nth = 1): Promise<Said> {
    const all = (): Said[] => this.seen.filter((said) => said["event"] === name)
    await this.until(() => all().length >= nth)
    return all()[nth - 1] ?? {}
  }

  /** Sends a message. Anything but text is sent as JSON. */
  say(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message))
  }

  /** Sends bytes. */
  sayBytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(bytes)
  }

  ping(): void {
    this.#socket.ping()
  }

  /** Sends the answer to a ping, although none has come. */
  pong(): void {
    this.#socket.pong()
  }

  leave(): void {
    this.#socket.close()
  }
}

/** A WebSocket made by hand, over a socket that stops and continues reading as the test decides. */
export class SlowWebSocket {
  readonly seen: Said[] = []
  /** The status code of the close frame, when one has come. */
  closeCode: number | undefined
  readonly closed: Promise<void>
  readonly #waiting = new Waiting()
  #socket: Bun.Socket | undefined
  #head = ""
  #rest: Uint8Array = new Uint8Array()

  private constructor(closed: Promise<void>) {
    this.closed = closed
  }

  /** Opens a socket of `server` (its URL). */
  static async open(server: string, path: string): Promise<SlowWebSocket> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = new SlowWebSocket(promise)
    const { hostname, port } = new URL(server)
    const lines = [
      `GET /api/v1${path} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    slow.#socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(`${lines.join("\r\n")}\r\n\r\n`),
        data: (_socket, bytes) => slow.#take(bytes),
        close: () => resolve(),
        error: () => resolve(),
      },
    })
    return slow
  }

  /** The updates seen so far, without control frames. */
  get updates(): Said[] {
    return this.seen.filter((said) => said["event"] === undefined)
  }

  /** Resolves when `fits` is true for this socket. */
  async until(fits: (slow: this) => boolean): Promise<this> {
    await this.#waiting.until(() => fits(this), this.closed)
    return this
  }

  /** Sends a message, which must be short. */
  say(message: unknown): void {
    const text = Buffer.from(JSON.stringify(message))
    if (text.length > 125) throw new Error("too long for this socket")
    // A mask of zeros is allowed, and leaves the text as it is.
    this.#socket?.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]))
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Resets the connection, like a process that dies. */
  reset(): void {
    this.#socket?.terminate()
  }

  #take(bytes: Buffer): void {
    let body = bytes
    if (!this.#head.includes("\r\n\r\n")) {
      const before = this.#head.length
      this.#head += bytes.toString("latin1")
      const end = this.#head.indexOf("\r\n\r\n")
      if (end < 0) return
      body = bytes.subarray(end + 4 - before)
    }
    this.#rest = Buffer.concat([this.#rest, body])
    while (this.#frame());
    this.#waiting.ring()
  }

  /** Takes one frame from what has come; false if the frame is not complete. */
  #frame(): boolean {
    const view = Buffer.from(this.#rest.buffer, this.#rest.byteOffset, this.#rest.length)
    if (view.length < 2) return false
    const [opcode, short] = [view.readUInt8(0) & 0x0f, view.readUInt8(1) & 0x7f]
    const start = short === 127 ? 10 : short === 126 ? 4 : 2
    if (view.length < start) return false
    const length =
      short === 127 ? Number(view.readBigUInt64BE(2)) : short === 126 ? view.readUInt16BE(2) : short
    if (view.length < start + length) return false
    const payload = view.subarray(start, start + length)
    if (opcode === 1) this.seen.push(JSON.parse(payload.toString()))
    if (opcode === 8) this.closeCode = payload.readUInt16BE(0)
    this.#rest = view.subarray(start + length)
    return true
  }
}

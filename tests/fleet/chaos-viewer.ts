/** The longest that a viewer waits before it connects again. */
const RETRY_MS = 500

/**
 * A viewer of everything over its own socket. It reconnects whenever it is cut, and notes what it got. It
 * uses HTTP/1.0, so that the body comes without chunks.
 */
export class Viewer {
  /** The last event ID that it got. */
  last = 0
  /** How many updates it got. */
  updates = 0
  /** Faults: updates that came twice, out of order or not at all, and gaps. */
  readonly faults: string[] = []
  /** How often it had to connect again. */
  reconnects = 0
  /** The milliseconds from the time of each update until it arrived. */
  readonly delaysMs: number[] = []
  readonly #url: URL
  #socket: Bun.Socket | undefined
  #rest = ""
  #isOver = false

  /** `url` is the address of the fleet. */
  constructor(url: string) {
    this.#url = new URL(url)
  }

  /** Begins to watch; it goes on until `stop`. */
  watch(): void {
    this.#rest = ""
    const { hostname, port } = this.#url
    const request = `GET /api/v1/progress/stream HTTP/1.0\r\nHost: ${hostname}:${port}\r\nAccept: text/event-stream\r\nLast-Event-ID: ${this.last}\r\n\r\n`
    const decoder = new TextDecoder()
    Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => {
          this.#socket = socket
          socket.write(request)
        },
        data: (_, bytes) => this.#take(decoder.decode(bytes, { stream: true })),
        close: () => this.#again(),
        error: () => undefined,
      },
    }).catch(() => this.#again())
  }

  /** Ends it. */
  stop(): void {
    this.#isOver = true
    this.#socket?.terminate()
  }

  #again(): void {
    if (this.#isOver) return
    this.reconnects += 1
    setTimeout(() => this.watch(), RETRY_MS * (0.2 + 0.8 * Math.random()))
  }

  #take(text: string): void {
    this.#rest += text
    for (let end = this.#rest.indexOf("\n\n"); end >= 0; end = this.#rest.indexOf("\n\n")) {
      this.#frame(this.#rest.slice(0, end))
      this.#rest = this.#rest.slice(end + 2)
    }
  }

  #frame(frame: string): void {
    if (frame.startsWith("event: gap")) this.faults.push(frame)
    if (!frame.startsWith("id: ")) return
    const id = Number.parseInt(frame.slice(4), 10)
    if (id !== this.last + 1) this.faults.push(`${id} after ${this.last}`)
    this.last = id
    this.updates += 1
    const [, time] = /"timestamp":"([^"]+)"/.exec(frame) ?? []
    if (time !== undefined) this.delaysMs.push(Date.now() - Date.parse(time))
  }
}

import type { Socket } from "bun"

/** What happens to some bytes, and to their connection. */
export type Fate = "pass" | "cut" | "cut after" | "hold"

interface Pair {
  readonly client: Socket<Pair>
  server: Socket<Pair> | undefined
  /** The client's bytes from before the connection to the server, or bytes that are held back. */
  pending: Buffer[]
  /** Whether the next answer is dropped together with the connection. */
  isDoomed: boolean
  isHeld: boolean
}

/**
 * A proxy to a server of this machine that can fail. The test decides by what a client sends: "cut" drops it
 * with the connection, "cut after" passes it on and drops the answer, "hold" keeps it and everything after it
 * until `release`.
 */
export class Proxy implements Disposable {
  /** The port of the server; another one counts for new connections. */
  to: number
  /** The port on which it listens. */
  readonly port: number
  /** Decides what happens to the bytes of a client. */
  decide: (bytes: Buffer) => Fate = () => "pass"
  /** Drops everything in both directions, and closes nothing. */
  isFrozen = false
  /** Accepts no new connections. */
  isClosed = false
  /** How many connections were requested in the meantime. */
  refused = 0
  readonly #pairs = new Set<Pair>()
  readonly #listener: Disposable & { stop(isHard?: boolean): void }

  constructor(to: number) {
    this.to = to
    const listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (client) => {
          const pair: Pair = { client, server: undefined, pending: [], isDoomed: false, isHeld: false }
          client.data = pair
          if (this.isClosed) {
            this.refused += 1
            client.end()
            return
          }
          this.#pairs.add(pair)
          void this.#connect(pair, this.to)
        },
        data: ({ data: pair }, bytes) => this.#fromClient(pair, Buffer.from(bytes)),
        close: ({ data: pair }) => this.#closed(pair),
      },
    })
    this.#listener = listener
    this.port = listener.port
  }

  /** Sends what was held back, although its client may be gone. */
  release(): void {
    for (const pair of this.#pairs) {
      if (!pair.isHeld) continue
      pair.isHeld = false
      for (const bytes of pair.pending.splice(0)) pair.server?.write(bytes)
    }
  }

  /** Cuts all connections. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair)
  }

  [Symbol.dispose](): void {
    this.cut()
    this.#listener.stop(true)
  }

  async #connect(pair: Pair, port: number): Promise<void> {
    try {
      pair.server = await Bun.connect<Pair>({
        hostname: "127.0.0.1",
        port,
        data: pair,
        socket: {
          data: (_socket, bytes) => {
            if (this.isFrozen) return
            if (pair.isDoomed) this.#end(pair)
            else pair.client.write(bytes)
          },
          close: () => void pair.client.end(),
        },
      })
      // The client may have left meanwhile.
      if (!this.#pairs.has(pair)) pair.server.end()
      else if (!pair.isHeld) for (const bytes of pair.pending.splice(0)) pair.server.write(bytes)
    } catch {
      this.#end(pair)
    }
  }

  #fromClient(pair: Pair, bytes: Buffer): void {
    if (this.isFrozen) return
    const fate = pair.isHeld ? "hold" : this.decide(bytes)
    if (fate === "cut") return this.#end(pair)
    if (fate === "cut after") pair.isDoomed = true
    if (fate === "hold") pair.isHeld = true
    if (fate === "hold" || !pair.server) pair.pending.push(bytes)
    else pair.server.write(bytes)
  }

  #closed(pair: Pair): void {
    // What is held back may still reach the server.
    if (!pair.isHeld) this.#end(pair)
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.client.end()
    pair.server?.end()
  }
}

/** Loses the answer to the next statement that contains a text. */
export function loseAnswerTo(proxy: Proxy, text: string): void {
  // The client sends a statement first, and then its parameters.
  let isNext = false
  proxy.decide = (bytes) => {
    const isThis = isNext
    isNext = bytes.includes(text)
    if (isThis) proxy.decide = () => "pass"
    return isThis ? "cut after" : "pass"
  }
}

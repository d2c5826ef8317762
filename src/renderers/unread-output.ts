/** Bytes as they came, and from where. */
export interface Chunk {
  /** The file descriptor that they were printed on; 1 if there is only one. */
  readonly output: number
  /** They must not change any more. */
  readonly bytes: Uint8Array
}

/** The latest output that was not looked at yet. Adding to it costs nothing, however much is printed. */
export class UnreadOutput {
  readonly #mostBytes: number
  #chunks: Chunk[] = []
  #first = 0
  #bytes = 0
  #dropped = 0

  /** `mostBytes` is how much is kept; the last chunk is kept whatever its size. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#bytes + this.#dropped === 0
  }

  /** Adds what was printed next; if it is too much, the oldest is dropped. */
  push({ output, bytes }: Chunk): void {
    if (bytes.length === 0) return
    // A few bytes would keep the whole buffer that they were read into in memory.
    const isSmall = bytes.length < bytes.buffer.byteLength / 2
    this.#chunks.push({ output, bytes: isSmall ? bytes.slice() : bytes })
    this.#bytes += bytes.length
    for (let over = this.#over(); over > 0; over = this.#over()) {
      this.#first += 1
      this.#bytes -= over
      this.#dropped += over
    }
    if (this.#first < this.#chunks.length / 2) return
    this.#chunks = this.#chunks.slice(this.#first)
    this.#first = 0
  }

  /** Removes and returns what waits, and how many bytes before it were dropped. */
  take(): { readonly dropped: number; readonly chunks: readonly Chunk[] } {
    const taken = { dropped: this.#dropped, chunks: this.#chunks.slice(this.#first) }
    this.#chunks = []
    this.#first = this.#bytes = this.#dropped = 0
    return taken
  }

  /** The size of the oldest chunk if it is too much; otherwise 0. */
  #over(): number {
    const size = this.#chunks[this.#first]?.bytes.length ?? 0
    return this.#bytes - size >= this.#mostBytes ? size : 0
  }
}

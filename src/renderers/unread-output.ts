/** Bytes as they came, and their source. */
export interface Chunk {
  /** The file descriptor that they were printed on; 1 if there is only one. */
  readonly output: number
  /** The bytes; they must not change any more. */
  readonly bytes: Uint8Array
}

/** The latest output that was not read yet. To add to it costs nothing, however much is printed. */
export class UnreadOutput {
  readonly #mostBytes: number
  #chunks: Chunk[] = []
  #first = 0
  #bytes = 0
  #dropped = 0

  /** `mostBytes` is how much is kept; if it is not 0, the last chunk is kept whatever its size. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** Whether there is no unread output. */
  get isEmpty(): boolean {
    return this.#bytes + this.#dropped === 0
  }

  /** Adds the next output. If there is too much, the oldest is dropped. */
  push({ output, bytes }: Chunk): void {
    if (bytes.length === 0) return
    // Even a few bytes would keep the whole buffer in memory into which they were read.
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

  /** Removes and returns the unread output, and how many bytes before it were dropped. */
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

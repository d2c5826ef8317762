const SAMPLES = /[|,] (?:(?:Path Tracing )?Sample|Rendering) (\d{1,9}) ?\/ ?(\d{1,9})\b/
const TILES = /\| (?:Rendered (\d{1,9})\/(\d{1,9}) Tiles|Path Tracing Tile (\d{1,9})\/(\d{1,9}))\b/
const LAYER_DONE = /\| Finished$/

/** A count: this many of that many. */
export interface FrameCount {
  /** How many are done. */
  readonly done: number
  /** How many there are. */
  readonly total: number
}

function count(pattern: RegExp, line: string): FrameCount | undefined {
  const [done, total] =
    pattern
      .exec(line)
      ?.slice(1)
      .filter((text) => text !== undefined) ?? []
  const counted = { done: Number(done), total: Number(total) }
  return counted.total > 0 && counted.done <= counted.total ? counted : undefined
}

/**
 * The progress of Blender in one frame. A frame has as many layers (and views) as the previous frame, or as
 * many as were seen.
 */
export class FrameInHand {
  /** The samples of the current tile or layer; undefined while unknown. */
  samples: FrameCount | undefined
  /** The tiles that are done; undefined if the frame has none. */
  tiles: FrameCount | undefined
  #layersDone = 0
  #layersBefore = 0
  #layer = 0

  /** Reads a line about this frame. */
  hear(line: string): void {
    if (LAYER_DONE.test(line)) {
      this.#layersDone += 1
      this.#layer = 0
    }
    const samples = count(SAMPLES, line)
    const tiles = count(TILES, line)
    if (!samples) return this.#hearTiles(tiles)
    // With adaptive sampling or tiles, the last line is "Sample 0/64".
    if (samples.done === 0 && this.#layer > 0) return
    const part = samples.done / samples.total
    // The first line of a tile still has the samples of the previous tile.
    const isStale = tiles !== undefined && part === 1
    this.samples = isStale && tiles.done !== this.tiles?.done ? undefined : samples
    this.tiles = tiles
    const fraction = tiles ? (tiles.done + (isStale ? 0 : part)) / tiles.total : part
    this.#layer = Math.max(this.#layer, Math.min(1, fraction))
  }

  /** Reads a line that counts tiles, without samples in them. */
  #hearTiles(tiles: FrameCount | undefined): void {
    if (!tiles || (tiles.done === 0 && this.#layer > 0)) return
    this.tiles = tiles
    this.#layer = Math.max(this.#layer, tiles.done / tiles.total)
  }

  /**
   * The progress of the frame, 0 to 1. In the first frame, it is unknown how many layers follow the second
   * one.
   */
  get fraction(): number {
    const seen = this.#layersSeen
    const layers = this.isUnknown && seen > 1 ? seen + 1 : Math.max(this.#layersBefore, seen, 1)
    return (this.#layersDone + this.#layer) / layers
  }

  /** Whether no frame has shown yet how many layers there are. */
  get isUnknown(): boolean {
    return this.#layersBefore === 0
  }

  /**
   * Whether the first frame turns out to have several layers: the progress so far was that of its first
   * layer.
   */
  get isLayered(): boolean {
    return this.isUnknown && this.#layersSeen > 1
  }

  get #layersSeen(): number {
    return this.#layersDone + (this.#layer > 0 ? 1 : 0)
  }

  /** The frame has ended. */
  next(): void {
    this.#layersBefore = Math.max(this.#layersBefore, this.#layersDone)
    this.#layersDone = 0
    this.#layer = 0
    this.samples = undefined
    this.tiles = undefined
  }
}

/** The frames of an animation, as Blender 5 prints them: first and last, but never the step between them. */
export class FrameRange {
  #from = 0
  #to = -1
  #step = Number.POSITIVE_INFINITY
  #last: number | undefined

  /** An animation of these frames begins. */
  start(from: number, to: number): void {
    this.#from = from
    this.#to = to
    this.#step = Number.POSITIVE_INFINITY
    this.#last = undefined
  }

  /** A frame of this number begins. */
  frame(number: number): void {
    if (this.#last !== undefined && number > this.#last) {
      this.#step = Math.min(this.#step, number - this.#last)
    }
    this.#last = number
  }

  /** A frame is skipped: the distance to the next one is not the step. */
  skip(): void {
    this.#last = undefined
  }

  /** The frames of the range; undefined if there was none. */
  get total(): number | undefined {
    if (this.#to < this.#from) return undefined
    const step = Number.isFinite(this.#step) ? this.#step : 1
    return Math.floor((this.#to - this.#from) / step) + 1
  }
}

/** The most video that is assumed after the time that ffmpeg reports, in seconds. */
const MAX_AFTER_S = 1
/**
 * The most frames that are assumed after that time: the last frame begins at it, and encoders hold back two
 * more.
 */
const FRAMES_AFTER = 3
/** The least fraction of a total that a video of this many frames must come to, if its encoder holds frames back. */
const ALL = 0.995
/** If the time goes back this far, in seconds, it belongs to another ffmpeg. */
const RESTART_S = 1

/** The values of a block of `-progress`. */
interface Told {
  /** The current frame; undefined if there is none. */
  readonly frame: number | undefined
  /** The time of the output, in seconds; undefined if there is none. */
  readonly seconds: number | undefined
  /** The bytes of the output; undefined if there are none. */
  readonly size: number | undefined
}

/** One run of ffmpeg, and the progress in its blocks. */
export class FfmpegPass {
  /** The furthest time of the output, in seconds. */
  seconds = 0
  /** The highest frame that was reported. */
  frames = 0
  /** How many blocks it printed. */
  blocks = 0
  /** Whether it reported the size of its output; it does not do this for pictures. */
  hasSize = false
  /** Whether it said that it ended. */
  hasEnded = false
  /** Whether it printed the summary of what it wrote, which comes last. */
  isSummed = false
  /** The line in which it said that it was stopped. After that, it may also say that it ended. */
  stop: string | undefined

  /** Takes a block of `-progress`: its frame, seconds and size, and whether it is the last one. */
  hear({ frame = 0, seconds = 0, size }: Told, isEnd: boolean): void {
    this.seconds = Math.max(this.seconds, seconds)
    this.frames = Math.max(this.frames, frame)
    this.hasSize ||= size !== undefined
    this.blocks += 1
    this.hasEnded = isEnd
  }

  /** Whether this block belongs to a later run of ffmpeg. */
  isOver({ frame, seconds }: Told): boolean {
    if (this.hasEnded) return true
    const hasRestarted = seconds !== undefined && seconds < this.seconds - RESTART_S
    return hasRestarted || (frame !== undefined && frame < this.frames)
  }

  /** Whether this was a picture of a single frame, a thumbnail beside the video. */
  get isStill(): boolean {
    // A video that was stopped at its first frame has a size.
    return this.hasEnded && this.frames === 1 && !this.hasSize
  }

  /** Whether it is known to have ended by itself. */
  get isByItself(): boolean {
    return (this.hasEnded || this.isSummed) && this.stop === undefined
  }

  /** Seconds to the end of the last frame. */
  get length(): number {
    return this.#lengthAfter(1)
  }

  /** The reached part of a total, 0 to 1. */
  fractionOf(total: number): number {
    // x264 reports 1.88 s of 2 s. Where three frames make all of the total, they are believed, and otherwise one.
    const held = this.#lengthAfter(FRAMES_AFTER) / total
    return Math.min(1, held >= ALL ? held : this.length / total)
  }

  #lengthAfter(frames: number): number {
    // At one frame a second 5 s end at 4. No more than that second is believed: pictures of 5 s each have sound, and
    // with it a time that goes on to the end.
    const each = this.frames > frames ? this.seconds / (this.frames - frames) : 0
    return this.seconds + Math.min(MAX_AFTER_S, frames * each)
  }
}

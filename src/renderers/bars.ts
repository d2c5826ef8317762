import type { BarsInSequence } from "./bars-in-sequence.ts"
import { BelievedBar, type Growth, isAtStart, type LineLook, NEAR_END, NEAR_START } from "./believed-bar.ts"

/** Up to this fraction, a bar has done nothing yet. */
const AT_START = 0.02
/** A bar whose fraction is below this part of another one's is behind that one. */
const BEHIND = 0.6
/** The same for two bars that are redrawn again and again: both are always up to date. */
const BEHIND_REDRAWN = 0.97
/** A bar that was redrawn at 0 this often while another one grew waits for that one. */
const WAITS = 2
/** The most bars that are distinguished; more are not bars. */
const MAX_TRACKS = 64

/** A bar as it was before a line was read. */
type Before = Pick<BelievedBar, "begunAt" | "seenAt" | "fraction">

/** Whether two bars are redrawn together: of several rows of a terminal, only the first comes behind a move of the cursor. */
const areRedrawn = (a: BelievedBar, b: BelievedBar): boolean =>
  a.isDrawn && b.isDrawn && (a.isRedrawn || b.isRedrawn)

/**
 * Progress bars, one after another or one inside another, as one fraction.
 *
 * A bar that begins while another is under way counts as inside that one. If the other bar is not seen again
 * before the inner one begins again, it was abandoned, and the inner one follows it.
 */
export class Bars {
  readonly #sequence: BarsInSequence
  readonly #now: () => number
  readonly #tracks = new Map<string, BelievedBar>()
  /** The bar that stands for the whole. */
  #root: BelievedBar | undefined
  #isOuter = false
  #line = 0
  /** Whether a bar inside the root has begun again. */
  #hasInner = false
  /** How often each bar was redrawn at 0 while the bar of the whole grew. */
  readonly #waits = new Map<BelievedBar, number>()
  /** The bar that waited and has moved once. */
  #begun: BelievedBar | undefined
  /** How many bars ended for which the bar of the whole had waited. */
  #awaited = 0
  /** Whether the output said that something failed and begins once more, since the bar of the whole last moved. */
  #isAgain = false

  constructor(sequence: BarsInSequence, now: () => number) {
    this.#sequence = sequence
    this.#now = now
  }

  /**
   * Reads a line with a percentage; `key` is the text before it. `isEnclosed` means that the previous bar of
   * this line is inside the bar that the line shows from now on. Returns whether the line shows progress.
   */
  see(key: string, fraction: number, look: LineLook, isEnclosed = false): boolean {
    this.#line += 1
    if (isEnclosed) return this.#widen(key, new BelievedBar(fraction, look, this.#line, this.#now()))
    const known = this.#tracks.get(key)
    const track = known ?? new BelievedBar(fraction, look, this.#line, this.#now())
    if (!known) {
      this.#add(key, track)
      return this.#isFollower(track, look)
    }
    const before = { begunAt: track.begunAt, seenAt: track.seenAt, fraction: track.fraction }
    return this.#judge(track, track.see(fraction, look, this.#line), before)
  }

  /** The output says that something failed and begins once more. */
  repeat(): void {
    this.#isAgain = true
    if (this.#root && !this.#isOver(this.#root)) this.#root.mayFall = true
  }

  /**
   * The drawn bars that are under way, and the fraction of each (0 to 1), by the text before their
   * percentage.
   */
  underWay(): Map<string, number> {
    const drawn = [...this.#tracks].filter(
      ([, { isDrawn, isBelieved, fraction }]) =>
        isDrawn && isBelieved && fraction > NEAR_START && fraction < NEAR_END,
    )
    return new Map(drawn.map(([key, { fraction }]) => [key, fraction]))
  }

  /** Whether the bar of the whole has begun, is not at its end, and certainly shows work. */
  get isUnderWay(): boolean {
    return this.#root !== undefined && !this.#root.isDoubtful && !this.#isOver(this.#root)
  }

  /** The previous bar of this line was a part of the whole that the line shows now. */
  #widen(key: string, track: BelievedBar): boolean {
    const isRoot = this.#root === undefined || this.#root === this.#tracks.get(key)
    track.isBelieved = true
    this.#tracks.set(key, track)
    return isRoot && this.#surround(track)
  }

  #add(key: string, track: BelievedBar): void {
    if (this.#tracks.size >= MAX_TRACKS) this.#tracks.clear()
    this.#tracks.set(key, track)
    track.parent = this.#around(track, 0)
    track.isEarly = track.fraction <= AT_START && (this.#root?.fraction ?? 0) <= NEAR_START
  }

  /**
   * Whether a bar begins after the one that was the whole. Then the proven part is smaller at once, before
   * the new bar has grown.
   */
  #isFollower(track: BelievedBar, look: LineLook): boolean {
    if (!this.#root || !this.#isOver(this.#root)) return false
    if (isAtStart(track.fraction, look)) {
      this.#follow(track)
      this.#sequence.move(track.fraction)
      return true
    }
    if (!track.isDrawn || this.#isOver(track)) return false
    // If a bar is far from its start while another is full, it contains that one.
    this.#enclose(track)
    return true
  }

  /** The bar under way that was seen last after that line; undefined if there is none. */
  #around(inner: BelievedBar, since: number): BelievedBar | undefined {
    let last: BelievedBar | undefined
    for (const track of this.#tracks.values()) {
      const isCandidate =
        track.isBar && !track.isRejected && track.seenAt > Math.max(since, last?.seenAt ?? 0)
      if (isCandidate && track !== inner && !this.#isOver(track) && !this.#isInside(track, inner))
        last = track
    }
    return last
  }

  /**
   * Whether a bar has ended. The last redraw of many bars stops before the end; the fraction of a bar that
   * contains others is exact.
   */
  #isOver(track: BelievedBar): boolean {
    return track.fraction >= (track === this.#root && this.#isOuter ? 0.995 : NEAR_END)
  }

  #isInside(track: BelievedBar, outer: BelievedBar): boolean {
    for (let each = track.parent; each; each = each.parent) if (each === outer) return true
    return false
  }

  #judge(track: BelievedBar, verdict: Growth, before: Before): boolean {
    if (verdict === "unproven") return this.#wait(track, before.seenAt)
    if (verdict === "rejected") return this.#drop(track)
    if (verdict === "restarted") {
      track.isLast = this.#isLastInside(track, before.begunAt)
      if (!track.isLast) this.#placeRestarted(track, before)
    }
    if (track.isLast || this.#isMeasured(track, before.seenAt)) return false
    if (this.#root?.isDoubtful && !track.isDoubtful && !track.hasRestarted) return this.#surround(track)
    if (this.#hasWaited(track)) return true
    track.parent ??= this.#beside(track, before.seenAt)
    // A bar around this one is full, so it ended before this one.
    if (track.parent && this.#isOver(track.parent)) {
      if (this.#outlasts(track, track.parent)) return this.#surround(track)
      if (this.#saysTheSame(track, track.parent)) return false
      track.parent = this.#besideOpen(track, before.seenAt)
    }
    if (this.#isBehindWhole(track)) return this.#surround(track)
    if (track.parent) return false
    if (track !== this.#root) this.#follow(track)
    else if (this.#hasInner) this.#isOuter = true
    this.#move(track)
    return true
  }

  /** The bar of the whole has moved. The bars that wait for it have nothing done yet. */
  #move({ fraction, isFirstOfSeveral }: BelievedBar): void {
    this.#isAgain = false
    if (this.#root) this.#root.mayFall = false
    const waiting = [...this.#waits.values()].filter((times) => times >= WAITS).length
    if (waiting + this.#awaited === 0) this.#sequence.move(fraction, this.#isOuter, isFirstOfSeveral)
    else this.#sequence.move((this.#awaited + fraction) / (this.#awaited + 1 + waiting), true)
  }

  /** A bar was redrawn and has not moved: at 0, it may wait for the whole, if that was seen since that line. */
  #wait(track: BelievedBar, since: number): false {
    const root = this.#root
    if (!root || track === root || track.fraction > 0 || root.hasRestarted) return false
    if (areRedrawn(track, root) && root.seenAt > since)
      this.#waits.set(track, (this.#waits.get(track) ?? 0) + 1)
    return false
  }

  /** Whether a bar now begins that has waited until the whole had ended: both are parts of the whole. */
  #hasWaited(track: BelievedBar): boolean {
    const times = this.#waits.get(track) ?? 0
    const root = this.#root
    if (times < WAITS || !root || !this.#isOver(root)) {
      if (times > 0) this.#forgetWaiting()
      return false
    }
    // A bar around the other one also moves first when that one has ended; but then that one begins again.
    if (track !== this.#begun && !this.#isOver(track)) {
      this.#begun = track
      track.parent ??= root
      return true
    }
    this.#waits.delete(track)
    this.#awaited += 1
    root.parent = track
    track.parent = undefined
    this.#root = track
    this.#move(track)
    return true
  }

  #forgetWaiting(): void {
    this.#waits.clear()
    this.#begun = undefined
    this.#awaited = 0
  }

  /**
   * Whether a bar that began beside the whole is behind it. A part of the whole would be ahead of the whole
   * until the part ends, so a bar that is behind takes longer than the whole.
   */
  #isBehindWhole(track: BelievedBar): boolean {
    const root = this.#root
    if (!root || track.parent !== root || !track.isEarly || track.hasRestarted || root.hasRestarted)
      return false
    return track.fraction < root.fraction * (areRedrawn(track, root) ? BEHIND_REDRAWN : BEHIND)
  }

  /** Whether a bar that was inside the whole begins once more after the end of the whole: an evaluation, perhaps. */
  #isLastInside(track: BelievedBar, begun: number): boolean {
    const root = this.#root
    return (
      root !== undefined &&
      track.parent === root &&
      this.#isOuter &&
      this.#isOver(root) &&
      root.seenAt > begun
    )
  }

  /** Whether it only names something, and came beside the bar of the whole since that line. */
  #isMeasured(track: BelievedBar, since: number): boolean {
    const root = this.#root
    if (!root || root.seenAt <= since || root.hasRestarted) return false
    return track.isDoubtful && !root.isDoubtful
  }

  /** The bar that stands for the whole, if it was seen since that line; undefined otherwise. */
  #beside(track: BelievedBar, since: number): BelievedBar | undefined {
    const root = this.#root
    if (!root || root === track || root.seenAt <= since) return undefined
    return this.#isInside(root, track) ? undefined : root
  }

  /** Like `beside`, if the whole is under way. */
  #besideOpen(track: BelievedBar, since: number): BelievedBar | undefined {
    const root = this.#beside(track, since)
    return root && !this.#isOver(root) ? root : undefined
  }

  /** Whether a bar was seen beside the whole, and continues after the end of the whole. */
  #outlasts(track: BelievedBar, parent: BelievedBar): boolean {
    const isSure = track.isDrawn || track.isEarly
    return parent === this.#root && isSure && parent.seenAt > track.begunAt && !this.#isOver(track)
  }

  /**
   * Whether two bars that are near their ends show the same work: as those of two lines of a report do, or the last
   * part of the whole.
   */
  #saysTheSame(track: BelievedBar, parent: BelievedBar): boolean {
    return this.#isOver(track) || Math.abs(track.fraction - parent.fraction) <= AT_START
  }

  /** A bar that was seen beside the whole and continues after its end contains it. */
  #surround(outer: BelievedBar): boolean {
    this.#forgetWaiting()
    if (this.#root) this.#root.parent = outer
    outer.parent = undefined
    this.#enclose(outer)
    this.#isOuter = true
    return true
  }

  /** It was a gauge or a table, and not a bar. */
  #drop(track: BelievedBar): boolean {
    for (const each of this.#tracks.values()) if (each.parent === track) each.parent = undefined
    if (track !== this.#root) return false
    this.#forgetWaiting()
    this.#sequence.drop()
    this.#root = undefined
    return true
  }

  /** Finds the bar around one that has begun again; without any, it is the whole that begins again. */
  #placeRestarted(track: BelievedBar, { begunAt: begun, fraction }: Before): void {
    const around = this.#around(track, begun)
    const wasInside = track.parent !== undefined
    track.parent = around
    if (!around) {
      // The bar that seemed to contain it was abandoned at its start: this bar was not inside another one.
      if (!this.#root) {
        this.#follow(track)
        this.#sequence.move(fraction)
      }
      if (track === this.#root) this.#restartWhole(track, begun)
      return
    }
    if (around.parent === undefined && around !== this.#root && !wasInside) this.#enclose(around)
    this.#hasInner = true
  }

  /**
   * The bar that stood for the whole begins again. A bar that was seen beside it and continues contains it.
   */
  #restartWhole(root: BelievedBar, begun: number): void {
    const outer = [...this.#tracks.values()].find(
      (each) => each.parent === root && each.isBelieved && each.begunAt < root.begunAt && each.seenAt > begun,
    )
    if (outer && !this.#isOver(outer)) this.#surround(outer)
    else this.#beginBar(root)
  }

  /** The outer bar is printed after the inner one: until now, the inner one stood for the whole. */
  #enclose(outer: BelievedBar): void {
    this.#sequence.enclose(outer.fraction)
    this.#root = outer
  }

  /** Another bar takes the place of the one that stood for the whole. */
  #follow(track: BelievedBar): void {
    if (this.#root) this.#beginBar(track)
    else this.#sequence.begin(track.startedMs)
    this.#root = track
  }

  /** A bar becomes the current one of those that follow one another; nothing is known to be inside it. */
  #beginBar(track: BelievedBar): void {
    this.#forgetWaiting()
    if (track === this.#root) this.#sequence.begin(this.#now(), this.#isAgain)
    else this.#sequence.begin(track.startedMs)
    this.#isOuter = false
    this.#hasInner = false
  }
}

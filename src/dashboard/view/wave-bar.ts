import { isGuess } from "../../item/progress-words.ts"
import { el, mark, svg } from "./dom.ts"

/** Strokes of a wave. */
const STROKES = 84
const MARK_STROKES = 5
const HALF = 50
/** If a bar is this far from its target, in percent, it moves faster. */
const FAR = 1.5
const CATCH_UP_S = 0.7
/** A new bar has been drawn as far as it is after this time. */
const SEEN_MS = 100

/** The hues of songs, far enough from each other, and from the colours of success, warning and failure. */
const HUES = [256, 205, 312, 178, 284, 342, 230]

/** Numbers from 0 up to 1 that look random, and are the same for the same seed. */
function numbers(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** How high the strokes of a song stand: parts of a few strokes, some loud, some quiet, an intro and an end. */
function heightsOf(songId: number, strokes: number): number[] {
  const next = numbers(songId)
  const part = Math.max(2, Math.round(strokes / (7 + Math.floor(next() * 5))))
  let loud = 0.5
  return Array.from({ length: strokes }, (_, i) => {
    if (i % part === 0) loud = 0.34 + 0.62 * next()
    const edge = Math.min(1, 0.35 + (Math.min(i, strokes - 1 - i) / strokes) * 7)
    return HALF * edge * loud * (0.55 + 0.45 * next())
  })
}

function pathOf(songId: number, strokes: number): string {
  return heightsOf(songId, strokes)
    .map((height, i) => `M${i + 0.5} ${(HALF - height).toFixed(1)}V${(HALF + height).toFixed(1)}`)
    .join("")
}

const paths = new Map<number, string>()

function wavePath(songId: number): string {
  const known = paths.get(songId)
  if (known !== undefined) return known
  if (paths.size > 500) paths.clear()
  const path = pathOf(songId, STROKES)
  paths.set(songId, path)
  return path
}

/** The hue that a song has everywhere on the page, in degrees; neighbours differ. */
function hueOf(songId: number): number {
  const spread = (Math.imul(songId, 2_654_435_769) >>> 0) / 4_294_967_296
  return HUES[Math.floor(spread * HUES.length)] ?? 256
}

/** Gives an element the colour of a song. */
export const tint = (element: HTMLElement, songId: number): void =>
  element.style.setProperty("--hue", String(hueOf(songId)))

/** The small square that stands for a song. */
export function songMark(songId: number): HTMLElement {
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${MARK_STROKES} 100`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d: pathOf(songId * 31 + 7, MARK_STROKES) }),
  )
  const square = el("span", { class: "song-mark" }, picture)
  tint(square, songId)
  return square
}

/** How far a bar is, and where it is heading. */
export interface Glide {
  /** How far it is, in percent. */
  readonly done: number
  /** How far it will be, in percent. */
  readonly to: number
  /** How many seconds it takes to get there. */
  readonly seconds: number
}

/**
 * A progress bar in the shape of a wave, which is always the same for a song. It is drawn once. Two
 * transforms that cancel each other out uncover the done part, so that it moves without any script.
 */
export class WaveBar {
  /** The bar, for the page. */
  readonly element: HTMLElement
  readonly #cover: HTMLElement
  readonly #done: SVGSVGElement
  readonly #paths: readonly SVGPathElement[]
  readonly #head: HTMLElement
  #songId = 0
  #glide: Glide | undefined
  /** Where the bar was when the glide began, and when that was. */
  #from = 0
  #movedMs = 0
  #goesOn: ReturnType<typeof setTimeout> | undefined

  constructor() {
    const picture = (path: SVGPathElement): SVGSVGElement =>
      svg("svg", { viewBox: `0 0 ${STROKES} 100`, preserveAspectRatio: "none", "aria-hidden": "true" }, path)
    this.#paths = [svg("path"), svg("path")]
    const [below = svg("path"), above = svg("path")] = this.#paths
    this.#done = picture(above)
    this.#cover = el("div", { class: "wave-done" }, this.#done)
    this.#head = el("div", { class: "wave-head" })
    this.element = el(
      "div",
      { class: "wave", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
      picture(below),
      this.#cover,
      this.#head,
    )
  }

  /** Shows what is done, in percent, of a song's item. */
  show(
    item: Parameters<typeof isGuess>[0] & { readonly song_id: number },
    label: string,
    progress: number,
    glide: Glide,
  ): void {
    const songId = item.song_id
    mark(this.element, "data-guess", isGuess(item) ? "" : null)
    if (songId !== this.#songId) {
      this.#songId = songId
      tint(this.element, songId)
      for (const path of this.#paths) path.setAttribute("d", wavePath(songId))
    }
    mark(this.element, "aria-valuenow", String(progress))
    mark(this.element, "aria-label", label)
    this.#move(glide)
  }

  /** How far the bar is now, in percent. */
  #reached(): number {
    const glide = this.#glide
    if (!glide) return 0
    const part = glide.seconds > 0 ? (performance.now() - this.#movedMs) / 1000 / glide.seconds : 1
    return this.#from + (glide.to - this.#from) * Math.min(1, part)
  }

  /** A bar that has caught up glides on: nothing new may be reported for a while. */
  #goOn(wanted: Glide, takenS: number): void {
    this.#goesOn = setTimeout(
      () => this.#move({ ...wanted, seconds: Math.max(CATCH_UP_S, wanted.seconds - takenS) }),
      Math.max(SEEN_MS, takenS * 1000),
    )
  }

  #move(wanted: Glide): void {
    clearTimeout(this.#goesOn)
    const before = this.#glide
    // A new bar is as far at once. A bar that is far away is there soon; then it glides.
    const isFar = !before || Math.abs(wanted.done - this.#reached()) > FAR
    const asked = isFar ? { ...wanted, to: wanted.done, seconds: before ? CATCH_UP_S : 0 } : wanted
    if (isFar && wanted.to > wanted.done) this.#goOn(wanted, asked.seconds)
    const reached = before ? this.#reached() : asked.to
    // It goes back only if the percentage beside it does.
    const isSame = Math.floor(asked.to) === Math.floor(reached)
    const glide = isSame ? { ...asked, to: Math.max(asked.to, reached) } : asked
    if (glide.to === before?.to && glide.seconds === before.seconds) return
    this.#from = reached
    this.#movedMs = performance.now()
    this.#glide = glide
    const to = Math.min(100, Math.max(0, glide.to))
    const { style } = this.element
    style.setProperty("--glide", `${glide.seconds.toFixed(2)}s`)
    this.#cover.style.transform = `translateX(${to - 100}%)`
    this.#done.style.transform = `translateX(${100 - to}%)`
    this.#head.style.transform = `translateX(${to}%)`
  }
}

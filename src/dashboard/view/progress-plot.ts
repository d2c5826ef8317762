import { counted, duration } from "../../text.ts"
import type { PlotPoint } from "../model/timeline.ts"
import { at } from "../model/wording.ts"
import { el, mark, setText, show, svg } from "./dom.ts"

const WIDTH = 1000
const HEIGHT = 220
/** More points than the plot has pixels show nothing more. */
const MAX_POINTS = 800
const STEPS_S = [
  1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800,
]

/** Every n-th point, the first and the last of each attempt among them. */
function thinned(points: readonly PlotPoint[]): readonly PlotPoint[] {
  const each = Math.ceil(points.length / MAX_POINTS)
  if (each <= 1) return points
  return points.filter(
    ({ attempt, running }, i) =>
      i % each === 0 ||
      points[i + 1]?.attempt !== attempt ||
      points[i - 1]?.attempt !== attempt ||
      points[i + 1]?.running !== running,
  )
}

/** The points of each line: those of an attempt for as long as it goes up, to where the attempt ended. */
function runsOf(points: readonly PlotPoint[]): readonly (readonly PlotPoint[])[] {
  const runs: PlotPoint[][] = []
  for (const point of points) {
    const run = runs.at(-1)
    const before = run?.at(-1)
    const isEnd = before?.running && before.attempt === point.attempt
    if (!point.running) {
      if (isEnd) run?.push({ ...point, progress: before.progress })
      continue
    }
    if (run && before?.attempt === point.attempt && point.progress >= before.progress) run.push(point)
    else runs.push([point])
  }
  return runs
}

/** What the lines are, by their class. */
const LINES = [
  ["line latest", "Reported by the worker"],
  ["line earlier", "Earlier progress"],
  ["time", "Estimated from earlier runs"],
  ["hope", "Expected"],
] as const

/** A short piece of each line with its name. */
const legend = () =>
  LINES.map(([name, text]) => {
    const sample = svg("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" })
    sample.append(svg("path", { class: name, d: "M2 4H22" }))
    return [name, el("span", { hidden: true }, sample, text)] as const
  })

/** Where the end is expected. */
interface ExpectedEnd {
  readonly ms: number
  readonly fromMs: number
  readonly progress: number
}

/** The progress of one item over time, with one line for each attempt. */
export class ProgressPlot {
  /** The plot, for the page; hidden while there is nothing to draw. */
  readonly element: HTMLElement
  readonly #picture = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  })
  readonly #legend = legend()
  readonly #marks = el("div", { class: "marks", "aria-hidden": "true" })
  readonly #cursor = el("div", { class: "cursor", hidden: true, "aria-hidden": "true" })
  readonly #readout = el("p", { class: "readout", hidden: true, "aria-hidden": "true" })
  #points: readonly PlotPoint[] = []
  #fromMs = 0
  #toMs = 1

  constructor() {
    const levels = [100, 50, 0].map((level) => {
      const text = el("span", {}, `${level}%`)
      text.style.top = `${100 - level}%`
      return text
    })
    const area = el("div", { class: "area" }, this.#picture, this.#cursor, this.#readout)
    this.element = el(
      "figure",
      { class: "plot", role: "img", hidden: true },
      el("div", { class: "legend", "aria-hidden": "true" }, ...this.#legend.map(([, entry]) => entry)),
      el(
        "div",
        { class: "canvas" },
        el("div", { class: "levels", "aria-hidden": "true" }, ...levels),
        area,
        this.#marks,
      ),
    )
    area.addEventListener("pointermove", (event) => this.#point(event, area))
    area.addEventListener("pointerleave", () => this.#leave())
  }

  /**
   * Draws the points from the start of the first attempt to `nowMs`, or to where the end is expected. Returns whether
   * there is anything to draw: an attempt that never left 0% is a line that cannot be seen.
   */
  draw(all: readonly PlotPoint[], nowMs: number, expected: ExpectedEnd | null): boolean {
    const started = all.findIndex(({ running }) => running)
    const seen = thinned(started < 0 ? [] : all.slice(Math.max(0, started)))
    const latest = seen.at(-1)
    const isOpen = latest !== undefined && latest.running && latest.progress < 100 && latest.ms < nowMs
    // The last report is still valid until now.
    const points = isOpen ? [...seen, { ...latest, time: null, ms: nowMs }] : seen
    this.#points = points
    const [first] = points
    const last = points.at(-1)
    const runs = runsOf(points)
    const isDrawn = expected !== null || points.some(({ progress }) => progress > 0)
    show(this.element, isDrawn)
    if (!first || !last || !isDrawn) return false
    this.#fromMs = first.ms
    this.#toMs = Math.max(
      first.ms + 1000,
      last.running && last.progress < 100 ? nowMs : last.ms,
      expected?.ms ?? 0,
    )
    this.#picture.replaceChildren(...this.#grid(), ...this.#lines(runs), ...this.#hope(expected))
    this.#explain()
    this.#label()
    const lasted = duration((last.ms - first.ms) / 1000)
    mark(
      this.element,
      "aria-label",
      `Progress over time: ${last.progress}% after ${lasted}, ${counted(points.at(-1)?.attempt ?? 1, "attempt")}`,
    )
    return true
  }

  #x(ms: number): number {
    return ((ms - this.#fromMs) / (this.#toMs - this.#fromMs)) * WIDTH
  }

  #grid(): SVGElement[] {
    return [0, 25, 50, 75, 100].map((level) => {
      const y = HEIGHT - (level / 100) * HEIGHT
      return svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y })
    })
  }

  #lines(runs: readonly (readonly PlotPoint[])[]): SVGElement[] {
    return runs.flatMap((run, i) => {
      const way = run.map(
        ({ ms, progress }) => `${this.#x(ms).toFixed(1)} ${(HEIGHT - (progress / 100) * HEIGHT).toFixed(1)}`,
      )
      const ends = `${this.#x(run.at(-1)?.ms ?? 0).toFixed(1)} ${HEIGHT}L${this.#x(run[0]?.ms ?? 0).toFixed(1)} ${HEIGHT}Z`
      const latest = i === runs.length - 1 ? "latest" : "earlier"
      return [
        svg("path", { class: `below ${latest}`, d: `M${way.join("L")}L${ends}` }),
        svg("path", { class: `line ${latest}`, d: `M${way.join("L")}` }),
        ...this.#time(run),
      ]
    })
  }

  /**
   * The line of the time, as earlier runs predicted it at that moment. The straighter it is, the better the
   * prediction was.
   */
  #time(run: readonly PlotPoint[]): SVGElement[] {
    const way = run.flatMap(({ ms, time }) =>
      time === null ? [] : [`${this.#x(ms).toFixed(1)} ${(HEIGHT - (time / 100) * HEIGHT).toFixed(1)}`],
    )
    return way.length > 1 ? [svg("path", { class: "time", d: `M${way.join("L")}` })] : []
  }

  #hope(expected: ExpectedEnd | null): SVGElement[] {
    if (!expected) return []
    const from = `${this.#x(expected.fromMs)} ${HEIGHT - (expected.progress / 100) * HEIGHT}`
    return [svg("path", { class: "hope", d: `M${from}L${this.#x(expected.ms)} 0` })]
  }

  /** Names the lines that were drawn, if there are several. */
  #explain(): void {
    const drawn = this.#legend.filter(([name]) => this.#picture.getElementsByClassName(name).length > 0)
    for (const entry of this.#legend) show(entry[1], drawn.length > 1 && drawn.includes(entry))
  }

  /** Round times along the foot, as they passed since the start. */
  #label(): void {
    const seconds = (this.#toMs - this.#fromMs) / 1000
    const step = STEPS_S.find((one) => seconds / one <= 6) ?? seconds / 4
    const labels: HTMLElement[] = []
    for (let s = 0; s <= seconds * 0.97; s += step) {
      const label = el("span", {}, s === 0 ? at(this.#fromMs, Date.now()) : `+${duration(s)}`)
      const place = (s / seconds) * 100
      label.style.left = `${place}%`
      // The last one stays within the plot.
      label.style.translate = `-${place}%`
      labels.push(label)
    }
    this.#marks.replaceChildren(...labels)
  }

  #point({ clientX }: PointerEvent, area: HTMLElement): void {
    const { left, width } = area.getBoundingClientRect()
    const ms = this.#fromMs + ((clientX - left) / width) * (this.#toMs - this.#fromMs)
    const found = this.#points.findLast((point) => point.ms <= ms) ?? this.#points[0]
    if (!found) return
    const place = `${(this.#x(found.ms) / WIDTH) * 100}%`
    show(this.#cursor, true)
    show(this.#readout, true)
    this.#cursor.style.left = place
    setText(
      this.#readout,
      `${found.progress}% at ${at(found.ms, Date.now())}, +${duration((found.ms - this.#fromMs) / 1000)}`,
    )
    mark(this.#readout, "data-side", clientX - left > width / 2 ? "left" : null)
    this.#readout.style.left = place
  }

  #leave(): void {
    show(this.#cursor, false)
    show(this.#readout, false)
  }
}

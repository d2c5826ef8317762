import { tookWords } from "../../text.ts"
import { BASE } from "../live/server.ts"
import type { Bar, Tallies } from "../model/counts.ts"
import type { Counts } from "../model/hub-messages.ts"
import { EVERYTHING, type Query, searchOf, type Which } from "../model/query.ts"
import { count } from "../model/wording.ts"
import { el, mark, setText, svg } from "./dom.ts"

type FinishedFigures = Counts["today"]

const WIDTH = 8
const HEIGHT = 28

/** The last hour as bars of five minutes, completed below failed. */
class Hour {
  readonly element = svg("svg", { class: "hour", "aria-hidden": "true", preserveAspectRatio: "none" })
  #drawn = ""

  show(bars: readonly Bar[]): void {
    const drawn = bars.map(({ completed, failed }) => `${completed}/${failed}`).join()
    if (drawn === this.#drawn) return
    this.#drawn = drawn
    mark(this.element, "data-unknown", bars.length === 0 ? "" : null)
    if (bars.length === 0) return
    const most = Math.max(1, ...bars.map(({ completed, failed }) => completed + failed))
    const rects = bars.flatMap(({ completed, failed }, i) => {
      const high = (completed / most) * HEIGHT
      const higher = (failed / most) * HEIGHT
      const at = { x: i * WIDTH, width: WIDTH - 3 }
      return [
        svg("rect", { ...at, y: HEIGHT - 1.5, height: 1.5, class: "none" }),
        svg("rect", { ...at, y: HEIGHT - high, height: high, class: "good" }),
        svg("rect", { ...at, y: HEIGHT - high - higher, height: higher, class: "bad" }),
      ]
    })
    mark(this.element, "viewBox", `0 0 ${bars.length * WIDTH - 3} ${HEIGHT}`)
    this.element.replaceChildren(...rects)
  }
}

/** One figure with its name below: a link to the items that it counts, and back again. */
class Figure {
  readonly #number = el("span")
  readonly #name = el("span", { class: "of" })
  readonly #which: Which
  readonly element: HTMLAnchorElement

  constructor(which: Which, ...beside: readonly Node[]) {
    this.#which = which
    const number = el("span", { class: "value" }, this.#number, ...beside)
    this.element = el("a", { class: "figure" }, number, " ", this.#name)
    this.lead(EVERYTHING)
  }

  /** Null means that it is not known yet. */
  show(value: number | null, name: string, tone: string | null = null): void {
    setText(this.#number, value === null ? "–" : count(value))
    setText(this.#name, name)
    mark(this.element, "data-tone", (value ?? 0) > 0 ? tone : null)
  }

  /** Says where its link leads: to its items, or back to all if its items are shown already. */
  lead({ which }: Query): void {
    const isHere = which === this.#which
    mark(this.element, "aria-current", isHere ? "page" : null)
    const to = isHere ? EVERYTHING : { text: "", which: this.#which }
    mark(this.element, "href", BASE.pathname + searchOf(to))
  }
}

/** How long completed renders took: ` in 4:10 on average (3:02 to 6:40)`; without a range that says nothing more. */
function tookOf(completed: number, ...seconds: readonly [mean: number, from: number, to: number]): string {
  const [mean, from, to] = seconds.map(tookWords)
  if (completed === 1) return ` in ${mean}`
  return ` in ${mean} on average${from === to ? "" : ` (${from} to ${to})`}`
}

/** What finished in a period: `Today 41 completed in 4:10 on average, 2 failed`; empty if nothing did. */
export function lately(name: string, { completed, failed, lost, ...lasted }: FinishedFigures): string {
  if (completed + failed + lost === 0) return ""
  const { shortest_seconds: from, longest_seconds: to, mean_seconds: mean } = lasted
  const took = mean === null || from === null || to === null ? "" : tookOf(completed, mean, from, to)
  const bad = failed + lost === 0 ? "" : `, ${count(failed + lost)} failed`
  return `${name} ${count(completed)} completed${took}${bad}`
}

/** The figures at the top of the page. */
export class FiguresBar {
  readonly #hour = new Hour()
  readonly #running = new Figure("running")
  readonly #waiting = new Figure("waiting")
  readonly #completed = new Figure("completed", this.#hour.element)
  readonly #failed = new Figure("failed")
  readonly #all = [this.#running, this.#waiting, this.#completed, this.#failed]
  /** When all is done, and what finished today and this week, for the page. */
  readonly lately = el("p", { class: "lately" })
  /** All figures, for the page. */
  readonly element = el(
    "nav",
    { class: "figures", "aria-label": "Figures" },
    ...this.#all.map(({ element }) => element),
  )

  /** Shows them as they are now. */
  update(tallies: Tallies, loaded: boolean, done: string, counts: Counts | null): void {
    const { running, waiting, stalled, completed, failed, hour } = tallies
    const known = (value: number | null): number | null => (loaded ? value : null)
    this.#running.show(
      known(running),
      stalled > 0 ? `running, ${count(stalled)} stalled` : "running",
      stalled > 0 ? "warn" : "run",
    )
    this.#waiting.show(known(waiting), "waiting")
    this.#completed.show(known(completed), "completed, last hour")
    this.#failed.show(known(failed), "failed, last hour", "bad")
    this.#hour.show(hour)
    const [today, week] = counts
      ? [lately("Today", counts.today), lately("This week", counts.this_week)]
      : ["", ""]
    // On a Monday, or if nothing finished earlier in the week, both are the same.
    const isSame = counts !== null && lately("", counts.today) === lately("", counts.this_week)
    const past = today === "" && week === "" && counts ? "Nothing finished this week" : today
    const parts = [done === "" ? "" : `All done about ${done}`, past, isSame && today !== "" ? "" : week]
    setText(this.lately, parts.filter((part) => part !== "").join(" · "))
  }

  /** Sets the links of the figures for the present query. */
  lead(wanted: Query): void {
    for (const figure of this.#all) figure.lead(wanted)
  }
}

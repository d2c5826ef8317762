import type { Bar, Tallies } from "../model/tallies.ts"
import { count } from "../model/text.ts"
import { el, mark, say, svg } from "./dom.ts"

const WIDTH = 8
const HEIGHT = 28

/** The last hour as bars of five minutes, completed below failed. */
class Hour {
  readonly element = svg("svg", { class: "hour", role: "img", preserveAspectRatio: "none" })
  #drawn = ""

  show(bars: readonly Bar[]): void {
    const drawn = bars.map(({ completed, failed }) => `${completed}/${failed}`).join()
    if (drawn === this.#drawn) return
    this.#drawn = drawn
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
    mark(
      this.element,
      "aria-label",
      `Finished in steps of five minutes: ${bars.map((bar) => bar.completed + bar.failed).join(", ")}`,
    )
    this.element.replaceChildren(...rects)
  }
}

/** One figure with its name below. */
class Figure {
  readonly #number = el("span")
  readonly #name: HTMLElement
  readonly element: HTMLElement

  constructor(...beside: readonly Node[]) {
    this.#name = el("dt")
    this.element = el("div", { class: "figure" }, this.#name, el("dd", {}, this.#number, ...beside))
  }

  /** A null is not known yet. */
  show(value: number | null, name: string, tone: string | null = null): void {
    say(this.#number, value === null ? "–" : count(value))
    say(this.#name, name)
    mark(this.element, "data-tone", (value ?? 0) > 0 ? tone : null)
  }
}

/** The figures at the top of the page. */
export class Figures {
  readonly #hour = new Hour()
  readonly #running = new Figure()
  readonly #waiting = new Figure()
  readonly #completed = new Figure(this.#hour.element)
  readonly #failed = new Figure()
  /** All figures, for the page. */
  readonly element = el(
    "dl",
    { class: "figures" },
    ...[this.#running, this.#waiting, this.#completed, this.#failed].map(({ element }) => element),
  )

  /** Shows them as they are now. */
  update(tallies: Tallies, loaded: boolean, done: string): void {
    const { running, waiting, stalled, completed, failed, hour } = tallies
    const known = (value: number): number | null => (loaded ? value : null)
    this.#running.show(
      known(running),
      stalled > 0 ? `running, ${count(stalled)} stalled` : "running",
      stalled > 0 ? "warn" : "run",
    )
    this.#waiting.show(known(waiting), done === "" ? "waiting" : `waiting, all done about ${done}`)
    this.#completed.show(known(completed), "completed, last hour")
    this.#failed.show(known(failed), "failed, last hour", "bad")
    this.#hour.show(hour)
  }
}

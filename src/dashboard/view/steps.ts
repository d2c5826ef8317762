import { tookWords } from "../../text.ts"
import type { Entry } from "../model/timeline.ts"
import { oneLine } from "../model/wording.ts"
import { el, mark, setText, show } from "./dom.ts"

/** A step narrower than this part of the whole has no room for its name. */
const NAMED_FROM = 0.12

/** A step of an attempt, and how long it took. */
interface TimedStep {
  readonly name: string
  readonly seconds: number
}

/** The steps of the latest attempt, the current one until `nowMs`. */
function stepsOf(entries: readonly Entry[], nowMs: number): TimedStep[] {
  const started = entries.findLastIndex(
    (entry) => entry.kind === "happening" && /^Attempt \d+ started$/.test(entry.what),
  )
  const own = entries.slice(Math.max(0, started))
  const steps: { name: string; fromMs: number }[] = []
  let endMs = nowMs
  for (const entry of own) {
    if (entry.kind === "happening") {
      if (entry.tone === "good" || entry.tone === "bad") endMs = Date.parse(entry.time)
      continue
    }
    const [first] = entry.updates
    if (first && entry.step !== "" && entry.step !== steps.at(-1)?.name)
      steps.push({ name: entry.step, fromMs: Date.parse(first.timestamp) })
  }
  return steps.map(({ name, fromMs }, i) => ({
    name,
    seconds: Math.max(0, ((steps[i + 1]?.fromMs ?? endMs) - fromMs) / 1000),
  }))
}

/** The steps of the latest attempt as one bar, each as long as it took. */
export class StepsBar {
  /** The bar; hidden unless there are several steps. */
  readonly element = el("ol", { class: "steps", hidden: true, "aria-label": "Steps of the latest attempt" })

  /** Draws the steps that are in the history. */
  draw(entries: readonly Entry[], nowMs: number): void {
    const steps = stepsOf(entries, nowMs)
    show(this.element, steps.length > 1)
    if (steps.length < 2) return
    const whole = steps.reduce((sum, { seconds }) => sum + seconds, 0) || 1
    while (this.element.children.length > steps.length) this.element.lastElementChild?.remove()
    for (const [i, { name, seconds }] of steps.entries()) {
      const part = this.element.children[i] ?? this.element.appendChild(el("li"))
      const words = `${oneLine(name)}, ${tookWords(seconds)}`
      mark(part, "title", words)
      mark(part, "aria-label", words)
      setText(part, seconds / whole >= NAMED_FROM ? oneLine(name) : "")
      if (part instanceof HTMLElement) part.style.flexGrow = String(Math.max(0.002, seconds / whole))
    }
  }
}

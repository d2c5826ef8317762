import type { Rights } from "../model/rights.ts"
import { byId, el, mark, say, show } from "./dom.ts"

/**
 * Hides what the reader may not do, and says why. An element names what it needs in `data-needs`; the style sheet hides
 * it unless the document may do that.
 */
export class RightsNote {
  readonly #element = byId("rights", HTMLElement)
  readonly #why = el("p")

  /** `onOther` is called when the reader wants to use another token. */
  constructor(onOther: () => void) {
    const other = el("button", { type: "button", class: "plain" }, "Use another token")
    other.addEventListener("click", onOther)
    this.#element.replaceChildren(this.#why, other)
  }

  /** Shows what the reader may do; nothing while the server does not accept the token that gave these rights. */
  update({ all, why }: Rights, isRefused: boolean): void {
    mark(document.documentElement, "data-may", all)
    show(this.#element, why !== "" && !isRefused)
    say(this.#why, why)
  }
}

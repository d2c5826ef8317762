import type { ReaderRights } from "../model/rights.ts"
import { byId, el, mark, setText, show } from "./dom.ts"

/**
 * Hides the actions that the reader may not do, and says why. An element names the right that it needs in
 * `data-needs`. The style sheet hides the element unless the document has that right.
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

  /** Shows the reader's rights; shows nothing while the server refuses the token that gave these rights. */
  update({ all, why }: ReaderRights, isRefused: boolean): void {
    // A reader who is refused gets no buttons soon, so no places are kept for them.
    const known = isRefused ? all.replace(" add change unknown", "") : all
    mark(document.documentElement, "data-may", known)
    show(this.#element, why !== "" && !isRefused)
    setText(this.#why, why)
  }
}

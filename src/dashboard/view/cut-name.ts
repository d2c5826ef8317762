import { el, mark, setText } from "./dom.ts"

/** How many characters at the end of a name are always shown: names often differ only there. */
const END_LENGTH = 7

/** The name of a worker, which is cut in its middle if there is no room for all of it. */
export class CutName {
  readonly #start = el("span", { class: "start" })
  readonly #end = el("span")
  /** The name, for the page. */
  readonly element = el("span", { class: "cut-name", dir: "auto" }, this.#start, this.#end)

  /** Shows this name; an empty one takes no room. */
  show(name: string): void {
    const at = [...new Intl.Segmenter().segment(name)].at(-END_LENGTH)?.index ?? 0
    setText(this.#start, name.slice(0, at))
    setText(this.#end, name.slice(at))
    // Two parts side by side would be two words for ears.
    mark(this.element, "role", name === "" ? null : "img")
    mark(this.element, "aria-label", name || null)
  }
}

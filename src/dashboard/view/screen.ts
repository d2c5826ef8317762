import type { Changes } from "../model/model.ts"

/** One of the page's two faces: the queue, or one item. */
export interface Screen {
  /** What is drawn, for the page. */
  readonly element: HTMLElement
  /** What the browser tab's title says besides the product's name; empty for nothing. */
  readonly title: () => string
  /** Draws what has changed. */
  readonly frame: (changes: Changes) => void
  /** A second has passed. */
  readonly tick: () => void
}

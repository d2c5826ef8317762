import { moved } from "./steady-lists.ts"

const MOVE_MS = 320
/** A smaller move cannot be seen. */
const LEAST_PX = 2
/** If an element moves farther than this, the eye cannot follow it. */
const MOST_PX = 1600

const isCalm = (): boolean => document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches

/** Where an element is: a row in its list, or a section on the page. */
function topOf(element: HTMLElement): number {
  const list = element.parentElement
  return list?.matches("ol") ? element.offsetTop - list.offsetTop : element.offsetTop
}

function move(element: HTMLElement, shift: number): void {
  moved(element)
  if (isCalm() || Math.abs(shift) > MOST_PX) return
  element.animate([{ transform: `translateY(${shift}px)` }, { transform: "none" }], {
    duration: MOVE_MS,
    easing: "cubic-bezier(0.2, 0.7, 0.2, 1)",
  })
}

/** A new element is above one that leaves its place, also for the pointer. */
function appear(element: HTMLElement): void {
  if (isCalm()) return
  element.animate(
    [
      { opacity: 0, zIndex: 1 },
      { opacity: 1, zIndex: 1 },
    ],
    MOVE_MS,
  )
}

/**
 * The section that the upper edge of the view cuts. When something above becomes higher, the browser scrolls along, so
 * that this section stays where the reader sees it.
 */
const cutByView = (sections: readonly HTMLElement[]): HTMLElement | undefined =>
  sections.find((section) => {
    const { top, bottom } = section.getBoundingClientRect()
    return top < 0 && bottom > 0
  })

/**
 * Changes the page, and lets sections and the rows of lists move to their new places. What has moved is unsteady for a
 * moment.
 */
export function movingRows(
  sections: readonly HTMLElement[],
  lists: readonly HTMLElement[],
  change: () => void,
): void {
  const rows = (): Element[] => lists.flatMap((list) => [...list.children])
  const tops = new Map<Element, number>()
  for (const element of [...sections, ...rows()])
    if (element instanceof HTMLElement && element.offsetParent !== null) tops.set(element, topOf(element))
  const cut = cutByView(sections)
  const shiftOf = (element: HTMLElement): number => (tops.get(element) ?? topOf(element)) - topOf(element)
  change()
  const scrolled = cut && cut.offsetParent !== null ? shiftOf(cut) : 0
  for (const element of [...sections, ...rows()]) {
    if (!(element instanceof HTMLElement) || element.offsetParent === null) continue
    if (!tops.has(element)) appear(element)
    const shift = shiftOf(element) - (sections.includes(element) ? scrolled : 0)
    if (Math.abs(shift) >= LEAST_PX) move(element, shift)
  }
}

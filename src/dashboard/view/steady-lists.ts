/** A button does nothing for this long after the row or section around it has moved. */
const STEADY_MS = 400
/** The second click of a double click comes within this time, and no farther away. */
const DOUBLE_MS = 400
const DOUBLE_PX = 8
/** For this long after an action of the reader, lists show changes at once. */
const FOLLOW_MS = 1500
/** A reader who has not moved for this long no longer holds a list. */
const IDLE_MS = 30_000

const movedMs = new WeakMap<Element, number>()
const refocusedMs = new WeakMap<Element, number>()

let pointer: { readonly x: number; readonly y: number } | undefined
/**
 * The element that the pointer was in when it last moved: if the list was pushed away since, the reader still
 * means it.
 */
let aimed: readonly EventTarget[] = []
/** When the pointer or a key was last moved. */
let touchedMs = Number.NEGATIVE_INFINITY
let followMs = Number.NEGATIVE_INFINITY
let isActing = 0

/** An element has moved on the screen, or has other buttons: for a moment its buttons do nothing. */
export const moved = (element: Element): void => void movedMs.set(element, performance.now())

/** When the elements `above` become higher or lower, all that is `below` has moved. */
export function movesBelow(
  above: readonly HTMLElement[],
  below: readonly { readonly element: Element }[],
): void {
  let before: number | undefined
  const heights = new ResizeObserver(() => {
    // On another screen, they have no height, and nothing is below them.
    if (!below.every(({ element }) => element.isConnected)) return
    const height = above.reduce((sum, { offsetHeight }) => sum + offsetHeight, 0)
    if (before !== undefined && height !== before) for (const { element } of below) moved(element)
    before = height
  })
  for (const one of above) heights.observe(one)
}

/** The focus has moved to an element by itself: for a moment its buttons do nothing. */
export const refocused = (element: Element): void => void refocusedMs.set(element, performance.now())

/** The reader has asked for a change of the lists: they need not wait until the pointer has left them. */
export const follow = (): void => {
  followMs = performance.now() + FOLLOW_MS
}

/** Performs an action of the reader; the lists show its result. */
export async function acting<T>(act: () => Promise<T>): Promise<T> {
  isActing += 1
  try {
    return await act()
  } finally {
    isActing -= 1
    follow()
  }
}

/**
 * Whether the reader is in a list, with the pointer, with the keyboard or in a menu. Then the order of the
 * list does not change, so that nothing moves beneath a finger that is about to press.
 */
export function isHeld(list: Element): boolean {
  const nowMs = performance.now()
  if (isActing > 0 || nowMs < followMs || nowMs - touchedMs > IDLE_MS) return false
  if (list.querySelector('[aria-expanded="true"]')) return true
  const focused = document.activeElement
  if (focused && list.contains(focused) && focused.matches(":focus-visible")) return true
  if (aimed.includes(list)) return true
  return pointer !== undefined && list.contains(document.elementFromPoint(pointer.x, pointer.y))
}

function isUnsteady(target: Element, sinceMs: WeakMap<Element, number>): boolean {
  const nowMs = performance.now()
  for (let one: Element | null = target; one; one = one.parentElement) {
    if (nowMs - (sinceMs.get(one) ?? Number.NEGATIVE_INFINITY) < STEADY_MS) return true
  }
  return false
}

/** The last click that counted. */
let clicked:
  { readonly x: number; readonly y: number; readonly target: Element; readonly ms: number } | undefined

/**
 * Whether a click is the second one of a double click, or comes from a key that is held down. It is ignored
 * everywhere: after the first click, another element may be in that place.
 */
function isSecond(event: MouseEvent, target: Element): boolean {
  if (!clicked || performance.now() - clicked.ms > DOUBLE_MS) return false
  if (event.detail === 0) return target === clicked.target
  return Math.hypot(event.clientX - clicked.x, event.clientY - clicked.y) <= DOUBLE_PX
}

/**
 * Follows the pointer and the keyboard. Clicks on buttons that have just moved are ignored, and so is the
 * second click of a double click.
 */
export function watchReader(): void {
  const touch = (): void => {
    touchedMs = performance.now()
  }
  for (const type of ["pointermove", "pointerdown"] as const) {
    document.addEventListener(type, (event) => {
      touch()
      const isTouch = event.pointerType === "touch"
      pointer = isTouch ? undefined : { x: event.clientX, y: event.clientY }
      aimed = isTouch ? [] : event.composedPath()
    })
  }
  document.addEventListener("keydown", touch)
  document.addEventListener("scroll", () => {
    aimed = []
  })
  document.documentElement.addEventListener("pointerleave", () => {
    pointer = undefined
    aimed = []
  })
  document.addEventListener(
    "click",
    (event) => {
      const target = event.target instanceof Element ? event.target.closest("button, a") : null
      if (!target) return
      // A link and the opening of a menu change nothing.
      const isHarmless = target.tagName === "A" || target.ariaHasPopup === "menu"
      // A key presses the button that has the focus, even after the button has moved.
      const since = event.detail === 0 ? refocusedMs : movedMs
      if (isSecond(event, target) || (!isHarmless && isUnsteady(target, since))) {
        event.preventDefault()
        event.stopImmediatePropagation()
      } else clicked = { x: event.clientX, y: event.clientY, target, ms: performance.now() }
    },
    { capture: true },
  )
}

/** A button does nothing for this long after the row or section around it has moved. */
const STEADY_MS = 400
/** For this long after the reader has acted, lists show changes at once. */
const FOLLOW_MS = 1500
/** A reader who has not moved for this long no longer holds a list. */
const IDLE_MS = 30_000

const movedMs = new WeakMap<Element, number>()
const refocusedMs = new WeakMap<Element, number>()

let pointer: { readonly x: number; readonly y: number } | undefined
/** What the pointer was in when it last moved: a list that was pushed away since is still the one that is meant. */
let aimed: readonly EventTarget[] = []
/** When the pointer or a key was last moved. */
let touchedMs = Number.NEGATIVE_INFINITY
let followMs = Number.NEGATIVE_INFINITY
let isActing = 0

/** An element has moved on the screen, or has other buttons than before: for a moment they do nothing. */
export const moved = (element: Element): void => void movedMs.set(element, performance.now())

/** The focus has moved to an element by itself: for a moment its buttons do nothing. */
export const refocused = (element: Element): void => void refocusedMs.set(element, performance.now())

/** The reader has asked for a change of the lists: they need not wait until the pointer has left them. */
export const follow = (): void => {
  followMs = performance.now() + FOLLOW_MS
}

/** Does what the reader has asked for; the lists follow it. */
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
 * Whether the reader is in a list, by pointer, by keyboard or by a menu: then its order stands still, so that nothing
 * changes beneath a finger that is about to press.
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

/** Follows the pointer and the keyboard, and keeps clicks from buttons that have just moved. */
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
      const button = event.target instanceof Element ? event.target.closest("button") : null
      // Opening a menu changes nothing.
      if (!button || button.ariaHasPopup === "menu") return
      // A key presses the button that has the focus, even after the button has moved.
      const isByKey = event.detail === 0
      if (!isUnsteady(button, isByKey ? refocusedMs : movedMs)) return
      event.preventDefault()
      event.stopImmediatePropagation()
    },
    { capture: true },
  )
}

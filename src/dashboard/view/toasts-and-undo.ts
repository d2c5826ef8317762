import { ServerError } from "../../client/requests.ts"
import { sentenceOf } from "../live/server.ts"
import { byId, el, icon } from "./dom.ts"

const TOAST_MS = 6000
/** How long something can be undone. */
const UNDO_MS = 10_000
const MAX_TOASTS = 3
const UNDO = "Undo"
/**
 * Texts are read out at most this often, in milliseconds, so that a busy queue does not interrupt its reader.
 */
const SPEECH_MS = 4000

/** Options of a toast. */
interface ToastOptions {
  /** Whether the toast reports a failure, and so stays until it is dismissed; default false. */
  readonly failed?: boolean
  /** Undoes what the toast reports, within 10 s; default: nothing can be undone. */
  readonly undo?: () => void
  /** The word for it; default `Undo`. */
  readonly undoes?: string
  /** Whether the toast stays until it is dismissed, though it reports no failure; default false. */
  readonly stays?: boolean
}

/** What had the focus before the toasts got it. */
let before: HTMLElement | null = null

/** Takes a toast away. If a key led the reader into it, the focus goes back to where it was. */
function take(toast: Element): void {
  const isFocused = toast.querySelector(":focus-visible") !== null
  toast.remove()
  if (isFocused) (before?.isConnected === false ? byId("main", HTMLElement) : before)?.focus()
}

/** A toast in the corner. */
export function notify(
  text: string,
  { failed = false, undo, undoes = UNDO, stays = failed }: ToastOptions = {},
): void {
  const area = byId("toasts", HTMLElement)
  const dismiss = el("button", { class: "plain", type: "button", "aria-label": "Dismiss" }, icon("close"))
  const toast = el(
    "div",
    {
      class: "toast",
      "data-tone": failed ? "bad" : "quiet",
      "data-undo": undo && !stays ? "" : null,
      role: failed ? "alert" : "status",
    },
    el("p", {}, text),
    ...(undo ? [undoing(undo, undoes, () => take(toast))] : []),
    dismiss,
  )
  dismiss.addEventListener("click", () => take(toast))
  toast.addEventListener("focusin", ({ relatedTarget: left }) => {
    if (!(left instanceof Node && area.contains(left))) before = left instanceof HTMLElement ? left : null
  })
  // A repeated toast replaces the previous one, unless it offers to undo something else.
  if (!undo || stays) [...area.children].find((other) => other.textContent === toast.textContent)?.remove()
  // An undo stays available for the promised time, even if other toasts come.
  const others = [...area.children].filter((other) => !other.querySelector(".undo"))
  for (const other of others.slice(0, Math.max(0, area.childElementCount - MAX_TOASTS + 1))) other.remove()
  area.append(toast)
  if (!stays) setTimeout(() => take(toast), undo ? UNDO_MS : TOAST_MS)
}

/** Undoes what the reader did last, if that is offered now. Returns whether it is. */
export function undoLatest(): boolean {
  const offered = document.querySelectorAll<HTMLElement>("[data-undo] .undo[aria-keyshortcuts]")
  const latest = [...offered].at(-1)
  latest?.click()
  return latest !== undefined
}

/** Takes away what offers to undo something: the item of that number is now another one. */
export function withdrawUndo(): void {
  for (const toast of byId("toasts", HTMLElement).querySelectorAll("[data-undo]")) toast.remove()
}

/**
 * Reports why an act of the reader failed. Without an answer it is unknown whether the server did it, so the toast
 * says what to do, and when.
 */
export function notifyFailure(error: unknown): void {
  const isUnanswered = error instanceof ServerError && error.code === "unreachable"
  const more = isUnanswered ? ", so this may not have been done. Try again when the page is live" : ""
  notify(`${sentenceOf(error)}${more}`, { failed: true })
}

function undoing(undo: () => void, word: string, done: () => void): HTMLElement {
  // Another word is another act, which the key for an undo must not do.
  const keys = word === UNDO ? "Control+Z Meta+Z" : null
  const button = el("button", { type: "button", class: "undo", "aria-keyshortcuts": keys }, word)
  button.addEventListener("click", () => {
    done()
    undo()
  })
  return button
}

/** Everything that happens within this many milliseconds is read out together. */
const GATHER_MS = 250

let pending: string[] = []
let spokenMs = 0
let timer: ReturnType<typeof setTimeout> | undefined

/** Lets a screen reader read a text soon, together with everything else that happens within a few seconds. */
export function announce(text: string): void {
  pending.push(text)
  timer ??= setTimeout(
    () => {
      const shown = pending.length > 4 ? [...pending.slice(0, 3), `and ${pending.length - 3} more`] : pending
      byId("announcer", HTMLElement).textContent = shown.join(". ")
      pending = []
      timer = undefined
      spokenMs = Date.now()
    },
    Math.max(GATHER_MS, spokenMs + SPEECH_MS - Date.now()),
  )
}

import type { Right } from "../model/rights.ts"
import { open } from "./dialogs.ts"
import { el } from "./dom.ts"
import { undoLatest } from "./toasts-and-undo.ts"

const KEYS: readonly (readonly [keys: readonly string[], does: string, needs?: Right])[] = [
  [["/"], "Search the queue"],
  [["Alt", "↑"], "Move the focused waiting item up", "change"],
  [["Alt", "↓"], "Move the focused waiting item down", "change"],
  [["Ctrl", "Z"], "Undo what you did last, while that is offered", "change"],
  [["Esc"], "Leave the search, a menu, or the selection"],
  [["?"], "Show these keys"],
]

/** Shows the keys. */
export async function showKeys(): Promise<void> {
  const rows = KEYS.map(([keys, does, needs = null]) =>
    el(
      "div",
      { "data-needs": needs },
      el("dt", {}, ...keys.map((key) => el("kbd", {}, key))),
      el("dd", {}, does),
    ),
  )
  await open({
    title: "Keys",
    content: [el("dl", { class: "keys" }, ...rows)],
    yes: "Close",
    submit: () => undefined,
  })
}

/** Whether a key that was pressed is text for a field. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null

/** Listens for the keys of the page. `search` moves the focus to the search. */
export function listenForKeys(search: () => void): void {
  document.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, shiftKey, repeat } = event
    if (altKey || isTyping(event.target) || document.querySelector("dialog[open], .menu")) return
    if (ctrlKey || metaKey) {
      if (key !== "z" || shiftKey || repeat || !undoLatest()) return
    } else if (key === "/") search()
    else if (key === "?") void showKeys()
    else return
    event.preventDefault()
  })
}

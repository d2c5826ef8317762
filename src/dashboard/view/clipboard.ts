import { el } from "./dom.ts"
import { notify } from "./toasts-and-undo.ts"

/** On plain http there is no clipboard interface, so a selection is used. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return await navigator.clipboard.writeText(text)
  const area = el("textarea", { class: "for-ears", "aria-hidden": "true" })
  area.value = text
  const focused = document.activeElement
  document.body.append(area)
  area.select()
  const isCopied = document.execCommand("copy")
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  if (!isCopied) throw new Error("copying is not allowed")
}

/** Copies a text, and says so. `what` names the text in the toast. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await copyText(text)
    notify(`Copied ${what}`)
  } catch {
    notify("The browser did not allow copying", { failed: true })
  }
}

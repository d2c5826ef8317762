import { el } from "./dom.ts"

/** Copies a text. On plain http there is no clipboard interface, so a selection is used. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return await navigator.clipboard.writeText(text)
  const area = el("textarea", { class: "for-ears", "aria-hidden": "true" })
  area.value = text
  const focused = document.activeElement
  document.body.append(area)
  area.select()
  const isCopied = document.execCommand("copy")
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  if (!isCopied) throw new Error("the browser did not allow copying")
}

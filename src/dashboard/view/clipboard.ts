import { el } from "./dom.ts"

/** Copies a text. The clipboard's own interface is missing on plain http, where a selection does it. */
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

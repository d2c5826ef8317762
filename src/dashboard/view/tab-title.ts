import type { Glance } from "../model/tab-glance.ts"
import { byId } from "./dom.ts"

const SIZE = 64
const EVERY_MS = 1000

function drawn({ done, isLive, hasFailed }: Glance): string | null {
  const canvas = document.createElement("canvas")
  canvas.width = SIZE
  canvas.height = SIZE
  const pen = canvas.getContext("2d")
  if (!pen) return null
  const ring = (from: number, to: number, colour: string): void => {
    pen.beginPath()
    pen.strokeStyle = colour
    pen.lineWidth = 12
    pen.arc(SIZE / 2, SIZE / 2, SIZE / 2 - 8, from, to)
    pen.stroke()
  }
  const start = -Math.PI / 2
  ring(0, Math.PI * 2, "#8b93a7")
  ring(start, start + (Math.PI * 2 * done) / 100, isLive ? "#3d7dff" : "#565d6d")
  if (hasFailed || !isLive) {
    pen.beginPath()
    pen.fillStyle = hasFailed ? "#e5484d" : "#8b93a7"
    pen.arc(SIZE / 2, SIZE / 2, 12, 0, Math.PI * 2)
    pen.fill()
  }
  return canvas.toDataURL("image/png")
}

/** The tab's title and icon, which show the state of the queue while the tab is hidden. */
export class TabTitle {
  readonly #link = byId("icon", HTMLLinkElement)
  readonly #still = this.#link.href
  #shown = ""
  #atMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Shows what `look` finds, once a second at most. */
  show(look: () => Glance): void {
    if (this.#timer !== undefined) return
    const waitMs = this.#atMs + EVERY_MS - Date.now()
    if (waitMs <= 0) return this.#draw(look())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#draw(look())
    }, waitMs)
  }

  #draw(glance: Glance): void {
    const { isRunning, done, isLive, hasFailed, title } = glance
    this.#atMs = Date.now()
    if (document.title !== title) document.title = title
    const shown = `${isRunning ? Math.round(done) : "-"} ${isLive} ${hasFailed}`
    if (shown === this.#shown) return
    this.#shown = shown
    const picture = isRunning || hasFailed || !isLive ? drawn(glance) : null
    this.#link.href = picture ?? this.#still
  }
}

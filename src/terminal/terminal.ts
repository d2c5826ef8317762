/** What a piece of a line means; a terminal with colours shows it so. */
export type Tone = "good" | "bad" | "warn" | "bar" | "dim" | "bold"

/** A piece of a line. */
export type LinePart = string | readonly [text: string, tone: Tone]

/** Gives a text the look of its tone. */
export type Style = (text: string, tone: Tone) => string

const CODES: Readonly<Record<Tone, string>> = {
  good: "32",
  bad: "31",
  warn: "33",
  bar: "36",
  dim: "2",
  bold: "1",
}

/** For a terminal with colours. */
export const coloured: Style = (text, tone) => (text === "" ? "" : `\u001b[${CODES[tone]}m${text}\u001b[0m`)

/** Without colours. */
export const colourless: Style = (text) => text

/** How many columns a text takes. */
export type WidthOf = (text: string) => number

let segmenter: Intl.Segmenter | undefined

/** The characters as a person sees them, such as an emoji of several people, which is one. */
const charactersOf = (text: string): Iterable<{ readonly segment: string }> => {
  segmenter ??= new Intl.Segmenter()
  return segmenter.segment(text)
}

/** The text cut to a width, with an ellipsis if something is missing. */
export function cut(text: string, width: number, widthOf: WidthOf): string {
  if (widthOf(text) <= width) return text
  let kept = ""
  let taken = 0
  for (const { segment } of charactersOf(text)) {
    const wide = widthOf(segment)
    if (taken + wide > width - 1) break
    kept += segment
    taken += wide
  }
  return width > 0 ? `${kept}…` : ""
}

/** The text cut in its middle to a width: names of machines often differ only at their end. */
export function cutInMiddle(text: string, width: number, widthOf: WidthOf): string {
  if (widthOf(text) <= width) return text
  let end = ""
  for (const { segment } of [...charactersOf(text)].reverse()) {
    if (widthOf(segment + end) > (width - 1) / 2) break
    end = segment + end
  }
  return cut(text, width - widthOf(end), widthOf) + end
}

/** The text in a field of exactly this width, to the left or to the right of it. */
export function field(
  text: string,
  width: number,
  widthOf: WidthOf,
  side: "left" | "right" = "left",
): string {
  const shown = cut(text, width, widthOf)
  const gap = " ".repeat(Math.max(0, width - widthOf(shown)))
  return side === "left" ? shown + gap : gap + shown
}

const textOf = (piece: LinePart): string => (typeof piece === "string" ? piece : piece[0])

/** A line of pieces in its looks, cut to a width; and the width it takes. */
export function lineOf(
  pieces: readonly LinePart[],
  columns: number,
  style: Style,
  widthOf: WidthOf,
): { readonly text: string; readonly width: number } {
  let text = ""
  let width = 0
  for (const piece of pieces) {
    const shown = cut(textOf(piece), columns - width, widthOf)
    text += typeof piece === "string" ? shown : style(shown, piece[1])
    width += widthOf(shown)
    if (shown !== textOf(piece)) break
  }
  return { text, width }
}

/**
 * A bar of `width` columns, filled to `percent`. If there are no colours, the shape shows the difference. A
 * guess is drawn in dashes.
 */
export function bar(
  percent: number,
  width: number,
  style: Style,
  tone: Tone = "bar",
  isGuess = false,
): LinePart[] {
  const halves = Math.max(0, Math.min(2 * width, Math.floor((percent / 50) * width)))
  const full = Math.floor(halves / 2)
  if (style === colourless) return [(isGuess ? "▒" : "█").repeat(full) + "░".repeat(width - full)]
  const half = halves % 2
  return [
    [isGuess ? "╍".repeat(full + half) : "━".repeat(full) + "╸".repeat(half), tone],
    ["━".repeat(width - full - half), "dim"],
  ]
}

/**
 * The lines at the bottom of a terminal that are drawn again in place. Text printed above them stays, and scrolls
 * away like other output. The cursor rests on the line below.
 *
 * Frames are marked as synchronized updates, which a terminal shows at once or, where it does not know them, ignores.
 * Lines do not wrap while a frame is drawn, whatever the terminal thinks of the width of a character.
 */
export class Region {
  #widths: readonly number[] = []

  /** The bytes that print `above` for good, and draw `lines` over the ones before. */
  frame(
    above: readonly string[],
    lines: readonly { readonly text: string; readonly width: number }[],
    columns: number,
  ): string {
    // A terminal that has become narrower has wrapped the lines of the last frame.
    const rows = this.#widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0)
    this.#widths = lines.map(({ width }) => width)
    const up = rows > 0 ? `\u001b[${rows}A` : ""
    const body = [...above, ...lines.map(({ text }) => text)].map((text) => `\u001b[2K${text}\n`)
    return `\u001b[?2026h\u001b[?7l\r${up}${body.join("")}\u001b[J\u001b[?7h\u001b[?2026l`
  }

  /** Leaves what was drawn where it is: the next frame begins below. */
  leave(): void {
    this.#widths = []
  }
}

import { cut, type WidthOf } from "./terminal.ts"

/**
 * How the time left is shown: with its band and the time of the end, with the time of the end, or alone.
 */
export const DETAILS = ["band", "clock", "time"] as const
/** One of them. */
export type Detail = (typeof DETAILS)[number]

/** The space that the rows of a board need: the widths of the longest texts, 0 for none. */
export interface Wish {
  /** The number and the title. */
  readonly name: number
  /** The time left, in each detail. */
  readonly left: Readonly<Record<Detail, number>>
  /** A step or a message. */
  readonly step: number
  /** Figures beside it, which may be left out. */
  readonly pace: number
}

/** How wide the columns of a board are; 0 for one that is left out. */
export interface Columns {
  /** The number and the title, which may be cut. */
  readonly name: number
  /** The bar. */
  readonly bar: number
  /** The time left. */
  readonly left: number
  /** What `left` has room for. */
  readonly detail: Detail
  /** For the step or the figures. */
  readonly rest: number
}

/** The least width of a bar. */
export const MIN_BAR = 10
const [MIN_NAME, MAX_BAR, PERCENT, GAP] = [8, 40, 4, 2]
/** A shorter part of a step's name is useless. */
const LEAST_REST = 12
/** The width that most steps need: the bar grows only beyond that. */
const WISHED_REST = 20
/** The room for the step changes by this many columns at a time. */
const REST_STEP = 10

/**
 * Divides the columns of a terminal. The least important part gets less room first: the length of the bar,
 * the figures of the pace, the band of the time left, the step, then the time of the end, the time left, and
 * the bar.
 */
export function columnsFor(columns: number, { name: longest, left: lefts, step, pace }: Wish): Columns {
  const name = Math.min(longest, Math.max(MIN_NAME, Math.round(columns * 0.3)))
  const least = columns >= name + MIN_BAR + 10 ? MIN_BAR : 0
  const room = columns - name - GAP - PERCENT - (least === 0 ? 0 : least + 1)
  const tries = [
    ["band", WISHED_REST],
    ["clock", LEAST_REST],
    ["clock", 0],
    ["time", 0],
  ] as const
  const stepOf = (most: number): number => (step === 0 || most === 0 ? 0 : GAP + Math.min(step, most))
  const [detail] = tries.find(([each, most]) => GAP + lefts[each] + stepOf(most) <= room) ?? []
  const left = detail === undefined ? 0 : lefts[detail]
  const free = room - (left === 0 ? 0 : GAP + left)
  const said = Math.max(step, pace)
  const spare = free - GAP
  const shown = { name, left, detail: detail ?? "time" }
  const wanted = Math.max(least, Math.min(MAX_BAR, Math.round(columns * 0.25)))
  if (said === 0 || spare < Math.min(said, LEAST_REST)) {
    const bar = least === 0 ? 0 : Math.min(wanted, least + Math.max(0, free))
    // The name gets the columns that are left over; the last column of a terminal stays empty.
    const unused = Math.max(0, free - (bar - least) - 1)
    return { ...shown, name: Math.min(longest, name + unused), bar, rest: 0 }
  }
  const grown = Math.max(0, Math.min(wanted - least, spare - WISHED_REST))
  const bar = least === 0 ? 0 : least + grown
  const rest = spare - (bar - least)
  // In steps, so that a step whose text grows by a letter does not move everything.
  const needed = Math.max(WISHED_REST, Math.ceil(said / REST_STEP) * REST_STEP)
  const wider = Math.max(0, Math.min(longest - name, rest - needed))
  return { ...shown, name: name + wider, bar, rest: rest - wider }
}

/** As many of the parts as fit into a width, from the first on. */
export function fitting(
  parts: readonly string[],
  separator: string,
  width: number,
  widthOf: WidthOf,
): string {
  const texts = parts.map((_, at) => parts.slice(0, at + 1).join(separator))
  return texts.findLast((text) => widthOf(text) <= width) ?? ""
}

/** The parts in lines of at most this width, and at most this many lines; a part that is longer is cut. */
export function wrappedParts(
  parts: readonly string[],
  separator: string,
  { width, most, widthOf }: { readonly width: number; readonly most: number; readonly widthOf: WidthOf },
): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    const longer = last === undefined ? part : `${last}${separator}${part}`
    if (last !== undefined && (widthOf(longer) <= width || lines.length === most))
      lines[lines.length - 1] = cut(longer, width, widthOf)
    else lines.push(cut(part, width, widthOf))
  }
  return lines
}

import type { Expected } from "../../src/renderers/line-reader.ts"
import { renderer } from "../../src/renderers/renderer.ts"

/** The progress that is shown at the end of an output, and the highest that was ever shown, in percent. */
export function read(pieces: readonly string[], apartS: number, known: Partial<Expected> = {}) {
  let nowMs = 0
  const listener = renderer("lines", { ...known, now: () => nowMs })
  let [last, most, unit] = [0, 0, ""]
  for (const piece of pieces) {
    for (const report of listener.push(piece)) {
      unit = report.unit ? `${report.unit.done}/${report.unit.total} ${report.unit.name}` : ""
      last = report.progress ?? last
      most = Math.max(most, last)
    }
    nowMs += apartS * 1000
  }
  return { last: Math.floor(last), most: Math.floor(most), unit }
}

/** The glyph of a bar. */
export const BAR = "█"
/** A bar in the style of tqdm. */
export const tqdm = (n: number, total: number, label = "", unit = "it"): string => {
  const done = n / total
  const drawn = `${BAR.repeat(Math.floor(done * 10))}${" ".repeat(10 - Math.floor(done * 10))}`
  return `\r${label}${String(Math.floor(done * 100)).padStart(3)}%|${drawn}| ${n}/${total} [00:0${n % 9}<00:07,  3.${n % 10}2${unit}/s]`
}
/** A piece for each value. */
export const each = (values: readonly number[], line: (value: number) => string): string[] => values.map(line)
/** Lines, each with its end. */
export const lf = (...lines: string[]): string[] => lines.map((line) => `${line}\n`)
/** From 0 to 100 in steps of ten. */
export const TENTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

/**
 * A name, the output, and the least and most that may be shown at the end; also the highest ever, if it
 * differs.
 */
export type Program = readonly [string, readonly string[], number, number, number?]

import { ours } from "./ours.ts"

/** The condition for our figure: at least or at most so many times another figure, or a limit of its own. */
export interface Bar {
  kind: "at least" | "at most"
  limit: number
  /**
   * The peer, or our other figure, with which the figure is compared. Without it the limit is in the unit of
   * the row.
   */
  times?: string
}

/** One row of the table. */
export interface Row {
  scenario: string
  measure: string
  unit: string
  figures: Record<string, number>
  bar?: Bar
  faults: string[]
}

/** The middle one. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The figure that the bar judges: a ratio, or our figure itself; undefined if something was not measured. */
export function value({ figures, bar }: Row): number | undefined {
  const own = figures[ours]
  if (own === undefined || bar?.times === undefined) return own
  const other = figures[bar.times]
  return other === undefined ? undefined : own / other
}

/** Whether the row passes; undefined when it has no bar or was not measured. */
export function passes(row: Row): boolean | undefined {
  if (row.faults.length > 0) return false
  const reached = value(row)
  if (row.bar === undefined || reached === undefined) return undefined
  return row.bar.kind === "at least" ? reached >= row.bar.limit : reached <= row.bar.limit
}

/** A number for people: three significant digits, and thousands as k. */
export function short(number: number): string {
  const size = Math.abs(number)
  if (size >= 1_000_000) return `${(number / 1_000_000).toFixed(2)}M`
  if (size >= 10_000) return `${(number / 1000).toFixed(size >= 100_000 ? 0 : 1)}k`
  if (size >= 100) return number.toFixed(0)
  return number.toFixed(size >= 10 ? 1 : 2)
}

function barText({ bar, unit }: Row): string {
  if (bar === undefined) return ""
  return `${bar.kind} ${bar.limit} ${bar.times === undefined ? unit : `x ${bar.times}`}`
}

function verdict(row: Row): string {
  const pass = passes(row)
  if (row.faults.length > 0) return `FAIL: ${row.faults.join("; ")}`
  if (pass === undefined) return row.bar === undefined ? "" : "not measured"
  return pass ? "pass" : "FAIL"
}

function cells(row: Row, columns: string[]): string[] {
  const reached = value(row)
  const ratio = row.bar?.times === undefined || reached === undefined ? "" : reached.toFixed(2)
  const figures = columns.map((name) => (row.figures[name] === undefined ? "" : short(row.figures[name])))
  return [row.scenario, row.measure, row.unit, ...figures, ratio, barText(row), verdict(row)]
}

function columnsOf({ figures }: Row): string[] {
  return [ours, ...Object.keys(figures).filter((name) => name !== ours)]
}

/** One table for neighbouring rows that are compared with the same others. */
function tables(rows: Row[]): string[][][] {
  const groups: { columns: string[]; rows: Row[] }[] = []
  for (const row of rows) {
    const columns = columnsOf(row)
    const last = groups.at(-1)
    if (last && last.columns.join() === columns.join()) last.rows.push(row)
    else groups.push({ columns, rows: [row] })
  }
  return groups.map(({ columns, rows }) => [
    ["", "measure", "unit", ...columns, "ratio", "bar", "result"],
    ...rows.map((row) => cells(row, columns)),
  ])
}

function aligned(lines: string[][]): string {
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  const padded = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
  return padded.map((line) => line.join("  ").trimEnd()).join("\n")
}

/** The tables for a terminal. */
export function plainTable(rows: Row[]): string {
  return tables(rows).map(aligned).join("\n\n")
}

function markdown([head = [], ...lines]: string[][]): string {
  return [head, head.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n")
}

/** The tables for a document. */
export function markdownTable(rows: Row[]): string {
  return tables(rows).map(markdown).join("\n\n")
}

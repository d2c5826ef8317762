/**
 * Rows of text as lines: each column is as wide as its widest cell. Cells end at the right in the columns of
 * `numbers`, and begin at the left in the others.
 */
export function aligned(rows: readonly (readonly string[])[], numbers: readonly number[] = []): string[] {
  const widthOf = (at: number): number => Math.max(...rows.map((row) => Bun.stringWidth(row[at] ?? "")))
  const widths = (rows[0] ?? []).map((_, at) => widthOf(at))
  return rows.map((row) =>
    row
      .map((cell, at) => {
        const gap = " ".repeat((widths[at] ?? 0) - Bun.stringWidth(cell))
        return numbers.includes(at) ? gap + cell : cell + gap
      })
      .join("  ")
      .trimEnd(),
  )
}

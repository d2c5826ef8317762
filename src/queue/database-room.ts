import { AppError } from "../errors.ts"

/**
 * Whether the database has room for more. If it has none, new items and reports are refused, but the results
 * of renders are still stored.
 */
export class DatabaseRoom {
  /** Whether the database is as large as `--max-database-mb` allows. */
  isFull = false
  /** Whether the disk is full. */
  isDiskFull = false

  /** @throws AppError `unavailable` if the database or the disk is full */
  check(): void {
    if (this.isDiskFull) {
      throw new AppError(
        "unavailable",
        "the disk of the database is full; free some of it. Results of renders are still stored",
      )
    }
    if (!this.isFull) return
    throw new AppError(
      "unavailable",
      "the database is as large as --max-database-mb allows; delete items, or raise the limit. Results of renders are still stored",
    )
  }
}

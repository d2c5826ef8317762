import { AppError } from "../errors.ts"

/**
 * Whether the database has room for more. The end of a render is always stored; whatever adds to the database
 * is refused.
 */
export class Room {
  /** Whether the database is as large as it may be. */
  isFull = false
  /** Whether the disk has room for results alone. */
  isDiskFull = false

  /** @throws AppError `unavailable` while it is full */
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

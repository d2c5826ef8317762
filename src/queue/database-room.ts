import { AppError } from "../errors.ts"

/**
 * Whether the database has room for more. If it has none, new items, reports and retries are refused, but the
 * results of renders are still stored. Waiting items are still claimed for a while, because a database that is
 * full of them gets room only after they were rendered.
 */
export class DatabaseRoom {
  /** Whether the database is as large as `--max-database-mb` allows. */
  isFull = false
  /** Whether it is so much larger that no more items may be claimed. */
  isFarTooLarge = false
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
    if (this.isFull) throw tooLarge("as large as")
  }

  /** @throws AppError `unavailable` if the database is far larger than is allowed */
  checkClaim(): void {
    if (this.isFarTooLarge) throw tooLarge("a tenth larger than")
  }
}

const tooLarge = (how: string): AppError =>
  new AppError(
    "unavailable",
    `the database is ${how} --max-database-mb allows; delete items, or raise the limit. Results of renders are still stored`,
  )

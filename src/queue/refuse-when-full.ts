import { AppError } from "../errors.ts"

/**
 * Whether the database has room for more. If it has none, new items, reports and retries are refused, but the
 * results of renders are still stored. Waiting items are still claimed for a while, because a database that is
 * full of them gets room only after they were rendered.
 */
export class RefuseWhenFull {
  /** Whether the database is as large as `--max-database-mb` allows. */
  isFull = false
  /** Whether it is so much larger that no more items may be claimed. */
  isFarTooLarge = false
  /** Whether the disk is full. */
  isDiskFull = false
  /** Called after each commit that changed something; by default nothing is. */
  onCommit: () => void = () => undefined

  /** @throws AppError `unavailable` if the database or the disk is full */
  check(): void {
    this.#checkDisk()
    if (this.isFull) throw tooLarge("as large as")
  }

  /**
   * Checks whether workers may get new items. On a full disk they would use the room that is kept for results.
   * @throws AppError `unavailable` if the disk is full, or the database is far larger than is allowed
   */
  checkClaim(): void {
    this.#checkDisk()
    this.checkTake()
  }

  /**
   * Checks whether an item may be claimed by its number. This is allowed on a full disk: a worker that has lost its lease
   * claims its item again before it stores the result.
   * @throws AppError `unavailable` if the database is far larger than is allowed
   */
  checkTake(): void {
    if (this.isFarTooLarge) throw tooLarge("a tenth larger than")
  }

  #checkDisk(): void {
    if (!this.isDiskFull) return
    throw new AppError(
      "unavailable",
      "the disk of the database is full; free some of it. Results of renders are still stored",
    )
  }
}

const tooLarge = (how: string): AppError =>
  new AppError(
    "unavailable",
    `the database is ${how} --max-database-mb allows; delete items, or raise the limit. Results of renders are still stored`,
  )

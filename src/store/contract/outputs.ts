import type { OutputPiece } from "../../item/output-piece.ts"
import type { Stored } from "../../item/stored.ts"

/** Some of what an attempt printed. */
export interface OutputPage {
  /** The pieces, in the order in which they were printed. */
  readonly pieces: readonly OutputPiece[]
  /** Whether more pieces are stored after them. */
  readonly more: boolean
}

/** Where the output of an attempt ends. */
export interface OutputEnd {
  /** The number of the attempt. */
  readonly attempt: number
  /** The position after the last stored byte; 0 if nothing is stored. */
  readonly end: number
}

/**
 * What the commands of attempts printed: the last of it, apart from the history. It goes when the item's updates are
 * thinned (`Upkeep.thin`), and when what is left of a deleted item is purged. A change by which an item's `attempt`
 * grows removes what is kept of that attempt and of later ones: after a retry their numbers come again. Each method is
 * one transaction.
 */
export interface Outputs {
  /**
   * Adds pieces, ascending, to the output of the attempt that `attemptOf` names: it decides within the transaction,
   * perhaps more than once, and throws an AppError to refuse. What is stored already is left out (`piecesAfter`). Then
   * the pieces go that end `keepBytes` or more before the output's end. No update is appended.
   * @throws AppError `not_found`, `unavailable`, and whatever `attemptOf` throws
   */
  append(
    id: number,
    pieces: readonly OutputPiece[],
    keepBytes: number,
    attemptOf: (stored: Stored) => number,
  ): Promise<OutputEnd>

  /**
   * At most `limit` kept pieces of an attempt that end after the position `after`; none for an unknown attempt.
   */
  read(id: number, attempt: number, after: number, limit: number): Promise<OutputPage>

  /** The position after the last stored byte of an attempt; 0 if nothing is stored. */
  end(id: number, attempt: number): Promise<number>
}

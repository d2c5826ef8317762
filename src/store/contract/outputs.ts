import type { OutputPiece } from "../../item/output-piece.ts"
import type { Stored } from "../../item/stored.ts"

/** A part of an attempt's output. */
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
 * The outputs of the attempts' commands: the last part of each, stored apart from the history. An output is
 * removed when the item's updates are thinned (`Upkeep.thin`), and when the rest of a deleted item is purged.
 * When an item's `attempt` grows, the output of that attempt and of later ones is removed, because after a
 * retry their numbers are used again. Each method is one transaction.
 */
export interface Outputs {
  /**
   * Adds pieces, ascending, to the output of the attempt that `attemptOf` names. `attemptOf` decides within
   * the transaction, perhaps more than once, by the attempt, its start and the lease token alone, and throws an
   * AppError to refuse. Bytes that are stored already
   * are left out (`piecesAfter`). Then pieces that end `keepBytes` or more before the output's end are
   * removed. No update is appended.
   * @throws AppError `not_found`, `unavailable`, and whatever `attemptOf` throws
   */
  append(
    id: number,
    pieces: readonly OutputPiece[],
    keepBytes: number,
    attemptOf: (stored: Stored) => number,
  ): Promise<OutputEnd>

  /**
   * At most `limit` stored pieces of an attempt that end after the position `after`; none if the attempt is
   * unknown.
   */
  read(id: number, attempt: number, after: number, limit: number): Promise<OutputPage>

  /** The position after the last stored byte of an attempt; 0 if nothing is stored. */
  end(id: number, attempt: number): Promise<number>
}

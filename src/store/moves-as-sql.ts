import { MOVES } from "../item/moves.ts"

/** The legal moves as rows of SQL, for the trigger that refuses all others: `('queued', 'processing'), ...`. */
export const legalMoves = Object.entries(MOVES)
  .flatMap(([from, tos]) => tos.map((to) => `('${from}', '${to}')`))
  .join(", ")

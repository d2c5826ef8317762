/**
 * A piece of what the command of one attempt printed. Positions count the bytes that were printed, from 0 on; between
 * two pieces there is a hole where some of them were lost.
 */
export interface OutputPiece {
  /** The position of its first byte. */
  readonly from: number
  /** The position after its last byte. */
  readonly to: number
  /** Printable text, line breaks and tabs. It may be shorter than what was printed. */
  readonly text: string
}

/** The most bytes that one piece stands for, so that old output goes little by little. */
export const MAX_PIECE_BYTES = 16 * 1024

/** Whether each byte of a piece is one of its text, so that it can be cut anywhere. */
const isExact = ({ from, to, text }: OutputPiece): boolean => Buffer.byteLength(text) === to - from

/** The part of these pieces after the position up to which the output is stored: none if they are all stored. */
export function piecesAfter(pieces: readonly OutputPiece[], end: number): OutputPiece[] {
  return pieces
    .filter(({ to }) => to > end)
    .map((piece) => {
      if (piece.from >= end) return piece
      const text = isExact(piece)
        ? Buffer.from(piece.text)
            .subarray(end - piece.from)
            .toString()
        : piece.text
      return { ...piece, from: end, text }
    })
}

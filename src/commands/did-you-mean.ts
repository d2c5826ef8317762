/** How many letters must be added, removed, replaced or swapped with their neighbour to turn one word into another. */
function distance(from: string, to: string): number {
  let [before, row] = [[] as number[], Array.from({ length: to.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const isSame = from[i - 1] === to[j - 1]
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      const least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (isSame ? 0 : 1))
      next.push(isSwapped ? Math.min(least, (before[j - 2] ?? 0) + 1) : least)
    }
    ;[before, row] = [row, next]
  }
  return row[to.length] ?? 0
}

const lettersOf = (word: string): string => word.toLowerCase().replace(/^-+/, "")

/** What other programs, or the page, call what has another name here. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ["db", "database"],
  ["delete", "remove"],
  ["info", "show"],
  ["ls", "list"],
  ["mv", "move"],
  ["rm", "remove"],
  ["start", "serve"],
  ["stop", "cancel"],
  ["tail", "logs"],
  ["unpause", "resume"],
])

/** A shorter beginning of a word could be anything. */
const LEAST_BEGINNING = 3

/** `; did you mean "list"?` when one of the words is likely to be what was meant, otherwise nothing. */
export function didYouMean(typed: string, words: readonly string[]): string {
  const near = words
    .map((word) => ({ word, far: distance(typed.toLowerCase(), word) }))
    .filter(({ word, far }) => far <= Math.max(1, Math.floor(lettersOf(word).length / 3)))
    .sort((a, b) => a.far - b.far)
  const begun = words.filter((word) => lettersOf(typed).length >= LEAST_BEGINNING && word.startsWith(typed))
  const meant =
    near[0]?.word ??
    (begun.length === 1 ? begun[0] : undefined) ??
    words.find((word) => lettersOf(word) === OTHER_WORDS.get(lettersOf(typed)))
  return meant === undefined ? "" : `; did you mean "${meant}"?`
}

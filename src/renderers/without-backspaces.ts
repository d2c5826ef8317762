/** A text in which each backspace has removed the character before it. */
export function withoutBackspaces(text: string): string {
  if (!text.includes("\b")) return text
  const shown: string[] = []
  for (const character of text) {
    if (character === "\b") shown.pop()
    else shown.push(character)
  }
  return shown.join("")
}

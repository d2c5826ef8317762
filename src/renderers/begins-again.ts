/** Words that say that something failed and begins once more. */
const AGAIN =
  /\b(?:re-?try(?:ing)?|restart(?:ed|ing)?|trying (?:again|once more)|starting (?:over|again)|attempt #?[2-9]|(?:erneuter|neuer) versuch|nouvelle tentative|reintentando)\b|повтор|再試行|重试|재시도/iu

/** Whether a line says that something failed and begins once more. */
export const saysAgain = (line: string): boolean => AGAIN.test(line)

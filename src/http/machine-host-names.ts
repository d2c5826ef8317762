import { readFileSync } from "node:fs"
import { hostname } from "node:os"

/** The words of each line of a system file, without comments; empty if it cannot be read. */
function linesOf(path: string): string[][] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.replace(/#.*/, "").trim().toLowerCase().split(/\s+/))
  } catch {
    return []
  }
}

/**
 * The host names of this machine: its own name, also with `.local` and with the search domains of
 * /etc/resolv.conf, and its other names in /etc/hosts.
 */
export function ownNames(): ReadonlySet<string> {
  const own = hostname().toLowerCase()
  const [short = own] = own.split(".")
  const domains = linesOf("/etc/resolv.conf").flatMap(([word, ...rest]) =>
    word === "domain" || word === "search" ? rest : [],
  )
  const beside = linesOf("/etc/hosts").flatMap(([, ...names]) =>
    names.includes(own) || names.includes(short) ? names : [],
  )
  return new Set([own, `${short}.local`, ...domains.map((domain) => `${short}.${domain}`), ...beside])
}

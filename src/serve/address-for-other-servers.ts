/** Host names that mean all addresses of the machine. They are the address of no server. */
const ALL_ADDRESSES: readonly string[] = ["0.0.0.0", "[::]"]

/**
 * The address at which other servers reach this one, which listens at `url`; empty if it does not listen. If it listens on
 * all addresses, the address has the name of its machine.
 */
export function reachedAt(url: URL | undefined, machine: string): string {
  if (!url || !ALL_ADDRESSES.includes(url.hostname)) return url?.origin ?? ""
  return `http://${machine}:${url.port}`
}

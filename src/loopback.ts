const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|\[?::1\]?|(?:.+\.)?localhost)$/

/** Whether a host is a loopback address or name, which only this machine can reach. */
export const isLoopback = (host: string): boolean => host === "127.0.0.1" || LOOPBACK.test(host.toLowerCase())

import { Limits } from "../../src/http/limits.ts"

/** Lets every client send as many requests as it likes. */
export const NO_LIMITS = new Limits({ perAddress: 0, perToken: 0, perLease: 0, held: 0, steadyMs: () => 0 })

import { setDefaultTimeout } from "bun:test"

import { REPLACED } from "./replaced.ts"
import { throughNginx } from "./through-nginx.ts"

setDefaultTimeout(180_000)

throughNginx(REPLACED)

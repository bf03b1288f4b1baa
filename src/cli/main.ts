#!/usr/bin/env node
/**
 * The executable. It only turns on Node's compile cache before anything else is loaded: stripping types costs more than
 * half of a client verb's start. The cache lies where only this user writes; where it cannot, Node goes on without.
 */
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

if (process.env['NODE_COMPILE_CACHE'] === undefined) {
  enableCompileCache(join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sotto', 'compiled'))
}
await import('./process.ts')

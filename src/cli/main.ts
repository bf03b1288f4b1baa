#!/usr/bin/env node
/**
 * The executable. It only turns on Node's compile cache before anything else is loaded: stripping types costs more than
 * half of a client verb's start. The cache lies where only this user writes; where it cannot, Node goes on without.
 *
 * A daemon's young generation stays at the 2 MiB that V8 begins with: it would grow to 64 MiB while modules are loaded. That is
 * said before anything is compiled and has a cache of its own, since code compiled under other flags is not taken.
 */
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'

const isDaemon = process.argv.includes('daemon')
if (isDaemon) setFlagsFromString('--semi-space-growth-factor=1')

if (process.env['NODE_COMPILE_CACHE'] === undefined) {
  enableCompileCache(
    join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sotto', isDaemon ? 'daemon' : 'compiled'),
  )
}
await import('./process.ts')

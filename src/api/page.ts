/** The page: static files that the build left in `dist/web`, open to whoever may ask at all. They know nothing of this home. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { packageFile } from '../lib/own-files.ts'
import { PAGE_IDLE_MS } from './http-limits.ts'

const METHODS = ['GET', 'HEAD']
/** Their names carry a hash of what is in them. */
const ASSET_CACHE = 'public, max-age=31536000, immutable'
const NOT_BUILT = 'The page was not built. In a checkout, run: npm run build:page\n'

/** Where the built page lies. */
export const PAGE_ROOT = fileURLToPath(packageFile('dist/web'))

export async function addPage(app: FastifyInstance, root: string, idleMs = PAGE_IDLE_MS): Promise<void> {
  await app.register(fastifyStatic, { root, serve: false, index: false, dotfiles: 'deny', cacheControl: false })
  const config = { open: true }
  app.route({
    method: METHODS,
    url: '/',
    config,
    handler: async (request, reply) => {
      cutIfIdle(request, idleMs)
      pageHeaders(request, reply)
      if (!(await exists(join(root, 'index.html')))) return reply.code(503).type('text/plain').send(NOT_BUILT)
      return reply.sendFile('index.html')
    },
  })
  app.route<{ Params: { '*': string } }>({
    method: METHODS,
    url: '/assets/*',
    config,
    handler: async (request, reply) => {
      cutIfIdle(request, idleMs)
      const name = request.params['*']
      // What the file system could take for another place is no name of ours.
      if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name) || !(await exists(join(root, 'assets', name)))) {
        reply.callNotFound()
        return reply
      }
      pageHeaders(request, reply)
      return reply.header('cache-control', ASSET_CACHE).sendFile(join('assets', name))
    },
  })
}

/** Anybody may ask, so nobody may leave an answer unread; the next request on the line has the usual time again. */
function cutIfIdle({ raw: { socket } }: FastifyRequest, idleMs: number): void {
  socket.setTimeout(idleMs)
}

/** No inline script, no other origin, no frame, no form: what the build put there is all that runs. */
function pageHeaders(request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers({
    'cache-control': 'no-cache',
    'content-security-policy': policyFor(request.headers.host),
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'permissions-policy': 'camera=(self), clipboard-write=(self), geolocation=(), microphone=(), payment=(), usb=()',
  })
}

/** `host` was checked against this daemon's own names. The event stream is named, since not every browser counts it to 'self'. */
function policyFor(host: string | undefined): string {
  const stream = host === undefined ? '' : ` ws://${host} wss://${host}`
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    `connect-src 'self'${stream}`,
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

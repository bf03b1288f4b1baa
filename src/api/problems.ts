/** Refusals that only HTTP knows, besides the table of `errors.ts`. A test holds this list against the code. */
export const REQUEST_PROBLEMS: readonly { readonly status: number; readonly code: string; readonly title: string }[] = [
  { status: 400, code: 'bad-json', title: 'The body is not JSON' },
  { status: 400, code: 'bad-request', title: 'These bytes are no HTTP request' },
  { status: 400, code: 'bad-url', title: 'The URL cannot be read' },
  { status: 401, code: 'unauthorized', title: 'No valid token' },
  { status: 403, code: 'forbidden-address', title: 'This address may not connect' },
  { status: 403, code: 'forbidden-host', title: 'The Host header does not name this daemon' },
  { status: 403, code: 'forbidden-origin', title: 'A page from elsewhere asked' },
  { status: 403, code: 'forbidden-scope', title: 'The token is not good for this' },
  { status: 404, code: 'no-route', title: 'No such route' },
  { status: 408, code: 'request-timeout', title: 'The request did not come in time' },
  { status: 415, code: 'media-type', title: 'Another content type is needed' },
  { status: 422, code: 'invalid', title: 'The request does not fit the schema' },
  { status: 431, code: 'headers-too-large', title: 'The headers are too large' },
  { status: 429, code: 'too-many-streams', title: 'Too many event streams' },
]
